package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/mindtrace/registry/store"
)

// maxPage is how many keys a server lists at once.
const maxPage = 1000

// pageSize returns the size of the first page. It is one more than the caller
// expects, since the page begins with the key that the listing starts after.
func pageSize(ctx context.Context) int64 {
	if n := store.Expected(ctx); n > 0 && n < maxPage {
		return int64(n) + 1
	}
	return maxPage
}

// List implements store.Store. A page has a thousand keys; the first page has
// as many as the caller expects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(store.Info{}, err)
			return
		}
		ctx, ex := watch(ctx)
		call := s.api.Objects.List(s.bucket).Prefix(s.prefix + prefix).MaxResults(pageSize(ctx)).
			Fields(googleapi.Field("nextPageToken,items(" + infoFields + ")")).Context(ctx)
		if after != "" {
			call.StartOffset(s.prefix + after) // the page includes this key itself
		}
		token, barren := "", 0
		for last := ""; ; {
			page, err := call.Do()
			if err != nil {
				yield(store.Info{Now: ex.date}, s.listError(prefix, err, ex))
				return
			}
			s.found.Store(true)
			for _, obj := range page.Items {
				key, ours := strings.CutPrefix(obj.Name, s.prefix)
				if !ours || !strings.HasPrefix(key, prefix) || key < after || key <= last && last != "" {
					yield(store.Info{}, fmt.Errorf("list %s: %w: %q comes after %q", prefix, errUnordered, key, last))
					return
				}
				last = key
				if key == after || store.ValidKey(key) != nil { // an invalid key is not of a store
					continue
				}
				info, err := infoOf(key, obj, ex)
				if err != nil {
					yield(store.Info{}, fmt.Errorf("list %s: %s: %w", prefix, key, err))
					return
				}
				barren = 0
				if !yield(info, nil) {
					return
				}
			}
			if page.NextPageToken == "" {
				return
			}
			if err := goesOn(page.NextPageToken, &token, &barren); err != nil {
				yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			call.MaxResults(maxPage).PageToken(page.NextPageToken)
		}
	}
}

var errUnordered = errors.New("this server does not list keys in order, which a registry needs")

// errListing: the pages of a listing do not come to an end.
var errListing = errors.New("this server does not list its keys properly, which a registry needs")

// maxBarren is how many pages in a row may hold no key of a store. A thousand
// allows for a million keys of others below the prefix.
const maxBarren = 1000

// goesOn returns an error if the token of the next page is the last one again,
// or if too many pages in a row held no key of a store. last and barren are
// the state between the pages.
func goesOn(next string, last *string, barren *int) error {
	if next == *last {
		return fmt.Errorf("%w: it sends the same token for one page after the other", errListing)
	}
	*last = next
	if *barren++; *barren > maxBarren {
		return fmt.Errorf("%w: %d pages in a row hold no key of a registry, and it announces more pages", errListing, maxBarren)
	}
	return nil
}
