//go:build unix && !linux

package beneath_test

import "os"

// exchange swaps two names, one after the other.
func exchange(a, b string) error {
	if err := os.Rename(a, a+".x"); err != nil {
		return err
	}
	if err := os.Rename(b, a); err != nil {
		return err
	}
	return os.Rename(a+".x", b)
}
