package s3store

import "testing"

// HoldAtMost limits what a listing holds in order to sort it, for a test.
func HoldAtMost(t testing.TB, keys int) {
	before := maxHeld
	maxHeld = keys
	t.Cleanup(func() { maxHeld = before })
}
