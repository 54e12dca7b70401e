//go:build race

package pdf

// raceDetector multiplies the memory of a process.
const raceDetector = true
