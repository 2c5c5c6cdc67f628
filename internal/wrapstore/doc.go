// Package wrapstore has the wrappers that the registry puts around a store, and
// the clock of a store. From the outermost wrapper to the store itself:
//
//	ObserveClock  clock.go   the Clock observes the time in every answer
//	Retry         retry.go   calls that failed for a temporary reason are repeated
//	Paced         paced.go   large transfers wait for their turn; Pace (pace.go) says how many run at once
//	Log           log.go     every request is written to the log
//
// Each wrapper passes on Keys and Stage (wrapped.go), which it has to see;
// store.As finds every other optional interface below them. Package cachestore
// has one more wrapper, which goes around these; Forget (forget.go) makes it
// drop damaged bytes.
package wrapstore
