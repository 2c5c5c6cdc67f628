// Package proofs has the tests of the promises of the registry as a whole, on
// the real stores: many processes at once on a directory, on MinIO, on the
// Versity gateway and on the Google Cloud Storage emulator, while processes
// and servers are killed and networks fail. docs/guarantees.md names the
// promise of each test.
//
// Every test has a short form, which counts operations. If $MINDREG_SOAK is set
// ("5m"), the tests run for that long; see make soak.
package proofs
