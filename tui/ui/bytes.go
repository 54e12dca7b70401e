package ui

import (
	"math"
	"strconv"
)

// Bytes is a size as df -h and du -h print it: powers of 1024, rounded up so
// that little never looks like nothing: 0, 812, 4.0K, 93M, 1.2G.
func Bytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10)
	}
	f, unit := float64(n), 0
	for f >= 1024 && unit < len("KMGTPE") {
		f, unit = f/1024, unit+1
	}
	if f < 10 && math.Ceil(f*10) < 100 {
		return strconv.FormatFloat(math.Ceil(f*10)/10, 'f', 1, 64) + "KMGTPE"[unit-1:unit]
	}
	if f = math.Ceil(f); f >= 1024 && unit < len("KMGTPE") {
		return "1.0" + "KMGTPE"[unit:unit+1]
	}
	return strconv.FormatFloat(f, 'f', 0, 64) + "KMGTPE"[unit-1:unit]
}
