// Package fsck verifies the data of a registry, and repairs it from another
// registry. The root package calls [Verify] for Registry.Verify, and [Repair] for
// Registry.Repair.
//
// A verification reads every byte and compares it with the digests in the
// registers. Its [Report] has a [Problem] for each register or key that is wrong,
// and a [Damage] for each pack that is missing or damaged, with all the parts of
// files that this hurts.
//
// A repair verifies first. Then it restores each damaged pack under its own key,
// and each damaged register by a swap, from a registry that has the same versions,
// the mirror. At the end it verifies again what was wrong. It keeps the rules of
// docs/protocol.md, so it may run beside saves and collections; the comments on
// restorePacks and restoreVersion in pack.go and repair.go say why.
//
// The package rests on ledger for registers, on chunk for the bytes, and on commit
// for a version that has to be saved anew.
//
// # Files
//
//   - verify.go: verify versions.
//   - keys.go: verify all other keys: tags, locks, markers, milestones, strangers.
//   - audit.go: find all damaged packs of a version, and what they hurt.
//   - repair.go: the steps of a repair; restore the register of a version.
//   - pack.go: restore packs from the mirror.
//   - register.go: restore tags, locks and markers.
//   - purged.go: restore the register of a purged version.
package fsck
