// Package gc is the garbage collection of a registry: it frees the packs that no
// version needs any more. The root package calls [Run] for Registry.GC.
//
// A collection has these steps:
//
//  1. begin: put a marker. The store's date of it is the time by which all ages
//     are judged.
//  2. mark: read all registers of versions. The packs of live and recently
//     deleted versions are roots, and are kept.
//  3. sweep: list the packs. In closed eras, delete those that are not roots.
//  4. strip: reduce the registers of versions that can no longer be undeleted to
//     name and number.
//  5. Remove temporary files that killed writers have left, and finish: write the
//     [Report] into the marker.
//
// A collection takes no lock. It may run beside every operation, and beside other
// collections, and it may be killed at any moment. docs/protocol.md proves that
// it deletes no pack that a version needs; docs/attacks.md, A20 to A33, lists
// what could go wrong. The package rests on ledger for the registers.
//
// # Files
//
//   - collect.go: the steps, the marker, ages, repeats.
//   - mark.go: find the roots; strip registers.
//   - sweep.go: list and delete packs.
//   - strangers.go: keys that no registry has put.
//   - report.go: the report.
package gc
