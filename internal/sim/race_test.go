//go:build race

package sim

// underRace: one goroutine runs at a time, and the scheduler orders them by
// synctest.Wait and by channels of the store's calls, which the detector does not
// see as an order of everything. There is nothing for it to find here.
const underRace = true
