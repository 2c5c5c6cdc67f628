// Package sim runs the registry itself, unchanged, on a simulated store. One
// seed decides which of the waiting requests is served next, how it ends
// (applied, refused, lost, answer lost, applied late, client crashed), and how
// the clocks run. After every step an oracle, which sees the state of the
// store, compares it with the results that the clients were given.
//
//	go test ./internal/sim                                      some thousand schedules, and the ablations
//	go test ./internal/sim -race                                a few hundred, and data races of the harness itself
//	go test ./internal/sim -run TestSoak -timeout 0 -schedules 1000000
//	go test ./internal/sim -run TestReplay -v -scenario NAME [-ablation RULE] -seed N
//
// The oracle checks the invariants I1 to I12 of docs/attacks.md#invariants,
// with these details:
//
//   - I6 (no key is written after its DELETE was sent) holds for keys that have
//     a meaning. docs/protocol.md says which keys may be written once more while
//     their removal is under way, and why that does no harm.
//   - I8 (the latest version is linearizable) holds unless a version is
//     undeleted meanwhile. Then the oracle checks that no better version was
//     live all the time.
//   - In an unversioned registry, a client that has been told of a version
//     never gets an older one, nothing, or a deleted one afterwards.
//   - A search that begins at a milestone finds the same as a search through
//     all keys.
//   - An update replaces the version that it has seen.
//
// A schedule is a sequence of choices, drawn from the seed. A schedule that
// violates an invariant is shrunk by cutting choices and by setting them to
// zero, which is always the harmless choice.
//
//	run.go       one schedule: choosing, disturbing, ending
//	serve.go     how a request ends: faults, crashes, late requests
//	store.go     the simulated store; root.go: the store whose root goes away
//	client.go    one process and its operations
//	choices.go   drawing and shrinking
//	scenario*.go what the clients do
//	oracle*.go   what must never happen
//	ablation*.go the protocol without one rule, which the oracle must notice
package sim
