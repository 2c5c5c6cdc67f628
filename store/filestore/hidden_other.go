//go:build !linux

package filestore

import "errors"

func (s *Store) hidesReplaced() (bool, error) { return false, nil }

func errHides(string) error { return errors.ErrUnsupported }
