package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/mindtrace/registry/store"
)

// quoting is the form in which a server accepts the ETag of If-Match.
type quoting = int32

const (
	undecided quoting = iota // no swap has succeeded yet; try the quoted form of the standard first
	quoted                   // If-Match: "etag"
	bare                     // If-Match: etag
)

// swap replaces the state match of a key.
//
// Ceph's gateway refuses every quoted ETag and accepts a bare one; other
// servers may accept the quoted form only. So while no swap has succeeded yet,
// a swap that is refused looks at the key. If the key is in another state, the
// refusal is right. If it is in the state that the caller named, the server
// does not know this form, since no state comes twice. Then the swap is sent
// once more in the other form, under the same condition. The server checks
// that condition, so the swap cannot overwrite another writer's state, and
// cannot be applied twice. The store keeps the form that first succeeds.
func (s *Store) swap(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	form := s.quoting.Load()
	info, err := s.put(ctx, key, body, ifMatch{match, form})
	if form == undecided && errors.Is(err, store.ErrPrecondition) && !errors.Is(err, errNoKey) {
		now, serr := s.Stat(ctx, key)
		switch {
		case errors.Is(serr, store.ErrNotExist):
			return info, err
		case serr != nil:
			return info, fmt.Errorf("put %s: %w: it was refused, and reading the key failed: %w", key, store.ErrUnknown, serr)
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

// errNoKey: the key to swap does not exist.
var errNoKey = fmt.Errorf("%w: there is no such key", store.ErrPrecondition)

// ifMatch is the condition of a swap as a header. The client library can write
// the quoted form only. It accepts other headers through this interface, and
// signs them.
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
