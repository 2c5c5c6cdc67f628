package manifest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// CollectionsPrefix begins the keys of the markers of garbage
	// collections.
	CollectionsPrefix = "gc/"
	// KindCollection is the kind of such a marker.
	KindCollection = "collection"
)

// Collection is the marker of one garbage collection. The collection puts it
// before it reads anything else: the store's date of the marker is the time at
// which the collection began. The key is made of a nonce and never used again.
type Collection struct {
	Head
	// Started is when the collection began, by the store's clock. It is zero
	// until the collection has ended.
	Started time.Time `json:"started,omitzero"`
	// Report is the collection's result, a JSON object for people to read. It is
	// absent while the collection runs, and for ever if it failed.
	Report jsontext.Value `json:"report,omitzero"`
}

// NewCollection returns the marker of a collection that begins now.
func NewCollection() *Collection { return &Collection{Head: newHead(KindCollection)} }

// CollectionKey returns the key of the marker whose first nonce is n.
func CollectionKey(n Nonce) string { return CollectionsPrefix + string(n) }

// IsCollectionKey reports whether key is the key of a marker.
func IsCollectionKey(key string) bool {
	nonce, ok := strings.CutPrefix(key, CollectionsPrefix)
	return ok && Nonce(nonce).valid()
}

// Encode returns the body of the register.
func (c *Collection) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return encode(KindCollection, c)
}

// DecodeCollection reads what Encode wrote.
func DecodeCollection(body []byte) (*Collection, error) {
	c := new(Collection)
	if err := decode(body, KindCollection, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w register: %v", ErrCorrupt, err)
	}
	return c, nil
}

func (c *Collection) check() error {
	if c.Report != nil && (c.Report.Kind() != '{' || c.Started.IsZero()) {
		return errors.New("the report of a collection is an object, and says when it began")
	}
	return checkDepth(c.Report)
}
