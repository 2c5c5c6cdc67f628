// Package sim runs the registry itself, unchanged, on a simulated store: one
// seed decides which of the waiting requests is served next and how it ends
// — applied, refused, lost, answered in vain, floating, crashed — and how the
// clocks run. After every step an oracle that sees the store's state compares
// it with what the clients were told.
//
//	go test ./internal/sim                                      some thousand schedules, and the ablations
//	go test ./internal/sim -race                                a few hundred, and whether the harness itself races
//	go test ./internal/sim -run TestSoak -timeout 0 -schedules 1000000
//	go test ./internal/sim -run TestReplay -v -scenario NAME [-ablation RULE] -seed N
//
// The invariants are those of section 6 of the protocol, read as follows. I6
// is about keys that mean something: docs/protocol.md says which may be written
// once more while their removal is on its way, and why that does no harm. I8,
// that the latest version is linearizable, holds unless a version is undeleted
// meanwhile; then, that no better version was there all along. In an
// unversioned registry, moreover, nobody who was told of a version ever gets an
// older one, nor nothing, nor what was deleted. What is found from a milestone
// on is what is found among all keys; and an update replaces what it has seen.
//
// A schedule is a sequence of choices. They are drawn from the seed; a bad
// schedule is shrunk by cutting and zeroing choices, where zero always is the
// harmless one.
package sim
