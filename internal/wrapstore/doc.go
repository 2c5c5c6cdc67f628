// Package wrapstore has the wrappers that the registry puts around a store, and
// the clock that they follow. From the outermost to the store itself:
//
//	Watch    clock.go   the Clock observes the time in every answer
//	Retry    retry.go   calls are repeated that failed for a reason that passes
//	Paced    paced.go   large transfers wait for their turn; Pace (pace.go) says how many run at once
//	Log      log.go     every request is written to the log
//
// Each passes on Keys and Stage (wrapped.go), which it has to see; store.As
// finds every other optional interface below them. Package cachestore has one
// more wrapper, which goes around these; Forget (forget.go) tells it to drop
// what is damaged.
package wrapstore
