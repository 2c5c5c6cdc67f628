package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/mindtrace/registry/store"
)

// quoting is how a server wants the ETag of If-Match to be written.
type quoting = int32

const (
	undecided quoting = iota // no swap has succeeded yet: quoted, as the standard has it
	quoted                   // If-Match: "etag"
	bare                     // If-Match: etag
)

// swap replaces the state match of a key.
//
// Ceph's gateway refuses each quoted ETag and takes a bare one; other servers
// may know none but the quoted. So a swap that is refused, while none has
// succeeded yet, looks at the key. If the key is in another state, the refusal
// is right. If it is in the state that the caller named, then the server does
// not know this form: no state comes twice. The swap is sent once more in the
// other form, under the same condition, which the server checks: it cannot win
// against another writer, nor be applied beside an earlier copy of itself.
// The form that first succeeds is the server's from then on.
func (s *Store) swap(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	form := s.quoting.Load()
	info, err := s.put(ctx, key, body, ifMatch{match, form})
	if form == undecided && errors.Is(err, store.ErrPrecondition) && !errors.Is(err, errNoKey) {
		now, serr := s.Stat(ctx, key)
		switch {
		case errors.Is(serr, store.ErrNotExist):
			return info, err
		case serr != nil:
			return info, fmt.Errorf("put %s: %w: it was refused, and the key cannot be looked at: %w", key, store.ErrUnknown, serr)
		case now.Token != match:
			return info, err
		}
		form = bare
		info, err = s.put(ctx, key, body, ifMatch{match, form})
	}
	if err == nil {
		s.quoting.CompareAndSwap(undecided, max(form, quoted))
	}
	return info, err
}

// errNoKey: there was no key to swap.
var errNoKey = fmt.Errorf("%w: there is no such key", store.ErrPrecondition)

// ifMatch is the condition of a swap as a header. The client library writes
// none but the quoted form, and signs what it writes: this is the place where
// it takes a header of somebody else's.
type ifMatch struct {
	token store.Token
	form  quoting
}

var _ encrypt.ServerSide = ifMatch{}

// Type implements encrypt.ServerSide.
func (ifMatch) Type() encrypt.Type { return encrypt.S3 }

// Marshal implements encrypt.ServerSide.
func (m ifMatch) Marshal(h http.Header) {
	etag := string(m.token)
	if m.form != bare {
		etag = `"` + etag + `"`
	}
	h.Set("If-Match", etag)
}
