package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
)

// Info describes one version of an object.
type Info struct {
	Name         string          `json:"name"`
	Version      Version         `json:"version"`
	Digest       string          `json:"digest"`             // "sha256:..." of all its content; it does not depend on the name or the registry
	Class        string          `json:"class,omitempty"`    // the type of what was saved: a Go type, "file", "dir", or the class given to WithClass
	Materializer string          `json:"materializer"`       // name of the materializer that saved it
	Metadata     json.RawMessage `json:"metadata,omitempty"` // the value given to WithMetadata, as canonical JSON; nil if there was none
	Size         int64           `json:"size"`               // of all files, in bytes
	Files        int             `json:"files"`              // number of entries in the tree
	Created      time.Time       `json:"created"`            // when the save began, by the store's clock
	Deleted      *time.Time      `json:"deleted,omitempty"`  // when it was deleted, by the store's clock; nil: it is live
	Purged       bool            `json:"purged,omitempty"`   // deleted for good: it cannot be brought back
	Path         string          `json:"path"`               // location of its register, in the form of the registry's URL
}

// Ref returns the exact reference, name@version.
func (i *Info) Ref() string { return i.Name + "@" + i.Version.String() }

// DecodeMetadata decodes the metadata, as encoding/json does, into the value that
// into points to. If there is no metadata, it decodes null.
func (i *Info) DecodeMetadata(into any) error {
	metadata := i.Metadata
	if len(metadata) == 0 {
		metadata = []byte("null")
	}
	return wrap(context.Background(), OpDecodeMetadata, i.Ref(), json.Unmarshal(metadata, into))
}

// info describes what was read from a register.
func (r *Registry) info(f *ledger.Record) Info {
	i := Info{
		Name: f.Name, Version: f.Version, Digest: f.Digest.String(),
		Class: f.Content.Class, Materializer: f.Content.Materializer,
		Metadata: json.RawMessage(f.Content.Metadata),
		Size:     f.Size, Files: f.Count, Created: f.Created,
		Path: pathAt(r.ledger.URL, manifest.VersionKey(f.Name, f.Version)),
	}
	if f.State != manifest.Live {
		died := f.Stored.Modified.UTC()
		if f.State == manifest.Purged {
			died, i.Purged = f.Died, true
		}
		i.Deleted = &died
	}
	return i
}

// pathAt returns the location of a key below url. The options of a URL stay at
// the end.
func pathAt(url, key string) string {
	query := ""
	if i := strings.IndexByte(url, '?'); i >= 0 && strings.Contains(url[:i], "://") {
		url, query = url[:i], url[i:]
	}
	return strings.TrimSuffix(url, "/") + "/" + key + query
}

// Info describes the version that ref means.
//
// Errors: ErrNotFound, ErrDeleted, ErrDangling, ErrInvalidRef, ErrIntegrity,
// ErrNewer, and those of the store.
func (r *Registry) Info(ctx context.Context, ref string) (*Info, error) {
	p, err := ledger.ParseRef(ref)
	if err != nil {
		return nil, wrap(ctx, OpInfo, ref, err)
	}
	f, err := r.ledger.Resolve(ctx, p)
	if err != nil {
		return nil, wrap(ctx, OpInfo, ref, err)
	}
	i := r.info(f)
	return &i, nil
}

// Has reports whether ref means a live version. The errors are those of Info,
// except ErrNotFound.
func (r *Registry) Has(ctx context.Context, ref string) (bool, error) {
	_, err := r.Info(ctx, ref)
	if errors.Is(err, ErrNotFound) && !isEnd(ctx, err) {
		return false, nil
	}
	return err == nil, err
}
