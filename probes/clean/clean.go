// Package clean turns untrusted bytes into text that is safe to print.
//
// Everything that comes from outside (rows, log lines, headers, file names,
// error messages of servers) goes through here once, after decoding and before
// its width is measured. It is not under internal/ because the actions read
// rows of their own when they plan, and those are as hostile as a probe's.
package clean
