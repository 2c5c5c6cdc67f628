// Package sim runs the registry itself, unchanged, on a simulated store: one
// seed decides which of the waiting requests is served next and how it ends
// — applied, refused, lost, answered in vain, floating, crashed — and how the
// clocks run. After every step an oracle that sees the store's state compares
// it with what the clients were told.
//
//	go test ./internal/sim                                      some thousand schedules, and the ablations
//	go test ./internal/sim -run TestSoak -timeout 0 -schedules 1000000
//	go test ./internal/sim -run TestReplay -v -scenario NAME [-ablation RULE] -seed N
//
// The invariants are those of section 6 of the protocol, read as follows. I6
// is about keys that mean something: a pack that lands in an era that is over
// is garbage, the marker of a slow collection and the key of a shared lock may
// be written once more while their removal is on its way. A version that was
// committed too late, and brought back, may be incomplete.
//
// A schedule is a sequence of choices. They are drawn from the seed; a bad
// schedule is shrunk by cutting and zeroing choices, where zero always is the
// harmless one.
package sim
