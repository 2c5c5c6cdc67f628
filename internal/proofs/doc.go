// Package proofs holds the tests of what the registry promises as a whole, on
// the real stores: many processes at once on a directory, on MinIO, on the
// Versity gateway and on the Google Cloud Storage emulator, while processes
// and servers are killed and networks fail. docs/guarantees.md says which
// promise each test is about.
//
// Every test has a short form, which is counted in operations, and goes on for
// as long as $MINDREG_SOAK says ("5m") if that is set; see make soak.
package proofs
