package manifest

import "github.com/mindtrace/registry/version"

// Version is the version of an object.
type Version = version.Version

// ErrInvalidVersion: not a version, or not one that a registry can hold.
var ErrInvalidVersion = version.ErrInvalid

// ParseVersion reads a version; see version.Parse.
func ParseVersion(s string) (Version, error) { return version.Parse(s) }

// ParseVersionKey is the inverse of Version.Key. It refuses every other string.
func ParseVersionKey(key string) (Version, error) { return version.ParseKey(key) }
