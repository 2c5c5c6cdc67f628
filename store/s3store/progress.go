package s3store

import (
	"errors"
	"fmt"
	"strings"
)

// errListing: the server does not list as S3 does, and asking on would lead
// nowhere.
var errListing = errors.New("this server does not list its keys properly, which a registry needs")

// maxBarren is how many pages in a row may hold no key of a store: empty ones,
// and those of a million keys of others.
const maxBarren = 1000

// progress is how far a listing has come.
type progress struct {
	token  string // of the last page that was asked for
	barren int    // pages since the last key that is one of a store
}

// page takes note that a page is asked for, and refuses to go on in a circle.
func (p *progress) page(token string) error {
	if token != "" && token == p.token {
		return fmt.Errorf("%w: it says that page after page goes on at the same place", errListing)
	}
	p.token = token
	if p.barren++; p.barren > maxBarren {
		return fmt.Errorf("%w: %d pages in a row hold no key of a registry, and it says that there are more", errListing, maxBarren)
	}
	return nil
}

// listed is the key of a store that an object of a listing is.
func (s *Store) listed(prefix, object string) (string, error) {
	key, ours := strings.CutPrefix(object, s.prefix)
	if !ours || !strings.HasPrefix(key, prefix) {
		return "", fmt.Errorf("list %s: %w: %.200q does not begin with %q", prefix, errListing, object, s.prefix+prefix)
	}
	return key, nil
}
