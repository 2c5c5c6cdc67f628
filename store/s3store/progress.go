package s3store

import (
	"errors"
	"fmt"
	"strings"
)

// errListing: the pages of a listing do not come to an end.
var errListing = errors.New("this server does not list its keys properly, which a registry needs")

// maxBarren is how many pages in a row may hold no key of a store. A thousand
// allows for a million keys of others below the prefix.
const maxBarren = 1000

// progress is how far a listing has come.
type progress struct {
	token  string // of the last page requested
	barren int    // pages since the last key of a store
}

// page records the request for a page. It returns an error if the listing goes
// in a circle, or if too many pages held no key of a store.
func (p *progress) page(token string) error {
	if token != "" && token == p.token {
		return fmt.Errorf("%w: it sends the same token for one page after the other", errListing)
	}
	p.token = token
	if p.barren++; p.barren > maxBarren {
		return fmt.Errorf("%w: %d pages in a row hold no key of a registry, and it announces more pages", errListing, maxBarren)
	}
	return nil
}

// listed returns the key of a listed object.
func (s *Store) listed(prefix, object string) (string, error) {
	key, ours := strings.CutPrefix(object, s.prefix)
	if !ours || !strings.HasPrefix(key, prefix) {
		return "", fmt.Errorf("list %s: %w: %.200q does not begin with %q", prefix, errListing, object, s.prefix+prefix)
	}
	return key, nil
}
