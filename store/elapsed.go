package store

import "time"

// Elapsed is the longer of the wall clock's and the monotonic clock's answer
// to how long it took from one reading of the local clock to another: the
// monotonic one stands still while the machine sleeps, the wall clock may be
// set back.
func Elapsed(from, to time.Time) time.Duration { return elapsed(from, to) }
