// Package store is the floor of the registry: a flat map from keys to small
// byte strings, with conditional puts and ordered listing. Everything above
// it — versions, packs, tags, locks, garbage collection — is built from these
// six methods, so everything above it works the same on a directory, on
// S3-compatible servers and on Google Cloud Storage.
//
// A backend is a package of its own (memstore, filestore, ...) that calls
// [Register] for its URL scheme. A program links the backends it imports and
// no others.
//
//	store.go       Store: the contract of a backend; Info, Token, errors
//	optional.go    optional interfaces of a Store, and As, which finds them
//	fallback.go    Keys, Stage: two of these interfaces, for any store
//	hints.go       hints to a store in the context of a request
//	open.go        Open, Register: from a URL to a Store
//	url.go         ParseURL: locations, and the secrets that they must not hold
//	key.go         ValidKey, Escape: which keys are safe on every backend
//	unreadable.go  UnreadableError: the part of a listing that cannot be read
//	stall.go       ErrStalled: a request that makes no progress
//
// A registry opens its Store with [Open] and puts wrappers around it: one that
// repeats failed requests, one that writes a log, a cache. See [As] for how an
// optional interface is found below them. Package memstore is the store for
// tests; packages faultstore and tracestore are wrappers for tests.
package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"time"
)

// Store is what a backend provides. The numbers in brackets are those of the
// clauses in package storecheck, which tests each of them, racing, on every
// backend.
//
// A Store promises:
//
//   - Atomic [1]: Get, Stat and List never show part of a Put.
//   - Linearizable per key [2]: once a Put or Delete has returned, every call
//     on that key by any process shows it or something newer.
//   - Create [3]: of many Puts with [Absent] on one key, exactly one succeeds,
//     and none on a key that exists.
//   - Compare and swap [4]: of many Puts with the same token exactly one
//     succeeds; on an absent key it is refused and nothing is created.
//   - Tokens [5]: a Put of a different body changes the token; Put, Get, Stat
//     and List agree on it.
//   - Outcomes [6]: see [ErrUnknown]. No Put is ever retried behind the
//     caller's back.
//   - Delete is idempotent [7].
//   - Order [8]: List is ascending in the bytes of the whole key.
//   - Completeness [9]: if List yields b, it also yields every key of its
//     range whose Put completed before that of b began, except that a long
//     listing made of several pages may miss keys behind its cursor.
//   - One state [10]: the fields of an Info belong to one state of the key.
//   - Time [11]: Modified is set by the store, on the same clock as Now, and
//     never goes back.
//   - One version [12]: Get, also of a range, returns bytes and Info of one
//     state.
//   - Keys [13]: no two keys are ever the same object; a prefix may hold
//     a hundred thousand keys.
//   - Bodies [14]: of 0 bytes to [MaxBody] bytes; short or altered ones are
//     rejected, never stored.
//   - Durable [15]: what a call acknowledged survives a crash of the process
//     and, where the medium can promise it, a loss of power.
//   - Cancellation [16]: a cancelled call returns within a second; if a change
//     might have been applied the error is ErrUnknown.
//   - Root [17]: a store never makes its own root after it was opened, and
//     never writes to another root than the one opened. While that root is not
//     at its place (removed, renamed, unmounted, replaced), every call fails
//     with [ErrNoRoot], and also ErrUnknown if a change was under way. A bucket
//     is known by its name alone and cannot promise this:
//     docs/guarantees.md says what the registry does instead.
//
// A caller promises: valid keys ([ValidKey]); never to use a key that is
// a path prefix of another ("a" and "a/b"); and not to change the body passed
// to Put until it returns.
//
// All methods may be called by many goroutines at once.
type Store interface {
	// Get returns the bytes of key, all of them or the range in opts.
	// A range that reaches past the end returns the bytes up to the end,
	// perhaps no byte. Absent: an error that is fs.ErrNotExist.
	Get(ctx context.Context, key string, opts *GetOptions) ([]byte, Info, error)

	// Stat returns the Info of key. Absent: an error that is fs.ErrNotExist,
	// and an Info of which only Now may be set.
	Stat(ctx context.Context, key string) (Info, error)

	// Put stores body under key if the key's current token equals match, or,
	// where match is Absent, if there is no such key. Otherwise it returns
	// ErrPrecondition, and an Info of which only Now may be set.
	Put(ctx context.Context, key string, body []byte, match Token) (Info, error)

	// Delete removes key, whatever its state. An absent key is no error.
	// A caller never writes to a key again that it has deleted.
	Delete(ctx context.Context, key string) error

	// List yields the Info of every key that starts with prefix and is
	// greater than after, in ascending order. It ends at the first error,
	// except that it continues after an *UnreadableError.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Now reads the store's clock.
	Now(ctx context.Context) (time.Time, error)
}

// MaxBody is the size in bytes of the largest body that a store accepts.
const MaxBody = 16 << 20

// Token names one state of one key. It is opaque: an S3 ETag, a GCS
// generation, the file store's modification count.
type Token string

// Absent is the token of a key that does not exist.
const Absent Token = ""

// Info describes one state of one key.
type Info struct {
	Key      string
	Size     int64     // of the body, in bytes
	Token    Token     // never Absent
	Modified time.Time // when the store put this state, by its own clock; as returned by Put, it may be 2 s off
	Now      time.Time // the store's clock when it answered; zero if the answer has no time

	// CRC32C is the checksum of the body, in the form of the function CRC32C,
	// if the server keeps it and Stat shows it; empty otherwise.
	CRC32C string
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C returns the CRC-32C of a body as S3 and Google Cloud Storage write
// it: base64 of four bytes, the most significant first.
func CRC32C(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli)))
}

// GetOptions narrows a Get. nil and the zero value mean the whole object.
type GetOptions struct {
	Offset int64  // first byte
	Length int64  // how many bytes; 0 means to the end
	Buffer []byte // memory to read into, if its capacity suffices; its contents are lost
	Most   int64  // limit of the bytes to return, ErrTooLarge if there are more; 0 means MaxBody
}

// TooMany returns an ErrTooLarge if n bytes of key are more than the limit of
// o, which may be nil. Backends call it before they read.
func (o *GetOptions) TooMany(key string, n int64) error {
	most := int64(MaxBody)
	if o != nil && o.Most > 0 {
		most = o.Most
	}
	if n <= most {
		return nil
	}
	return fmt.Errorf("get %s: %w: %d bytes, the limit is %d", key, ErrTooLarge, n, most)
}

// The outcomes of a Put. No error: it was applied. One of these three errors:
// see there. Any other error, such as no permission, disk full or bad key: it
// was not applied and will not be.
var (
	// ErrPrecondition: the key was not in the state that the caller named.
	// Nothing was changed.
	ErrPrecondition = errors.New("precondition failed")

	// ErrRetry: the store asks to try again later. Nothing was changed.
	ErrRetry = errors.New("store is busy, try again")

	// ErrUnknown: the change may have been applied, may still be under way, or
	// may never be applied (time-outs, resets, cancellation after sending).
	ErrUnknown = errors.New("outcome unknown")
)

// ErrUnavailable: the store could not be reached.
var ErrUnavailable = errors.New("store cannot be reached")

// ErrNoBucket: the bucket that should hold the store does not exist.
var ErrNoBucket = errors.New("no such bucket")

// ErrNoRoot: the directory that the store was opened on was removed, renamed,
// unmounted or replaced. The error is not ErrNotExist. Nothing was changed,
// unless the error is ErrUnknown as well. Calls succeed again when the same
// root is back at the same place.
var ErrNoRoot = errors.New("the opened store is no longer at its place")

// ErrForeign: at the place of a key is something that no store has put there,
// such as a symbolic link. The store does not follow, read or replace it.
var ErrForeign = errors.New("not put there by a registry")

// ErrTooLarge: the bytes are more than MaxBody, or than GetOptions.Most. No
// Put stored them, so the object is damaged. Get does not read it, which would
// cost memory without a limit.
var ErrTooLarge = errors.New("larger than any stored object")

// ErrNotExist is the error of Get and Stat for an absent key: fs.ErrNotExist.
var ErrNotExist = fs.ErrNotExist
