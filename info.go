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
	Digest       string          `json:"digest"`             // "sha256:...": the same for the same content, whatever its name and place
	Class        string          `json:"class,omitempty"`    // what was saved: its Go type, "file", "dir", or as WithClass said
	Materializer string          `json:"materializer"`       // name of what made its files, and loads them
	Metadata     json.RawMessage `json:"metadata,omitempty"` // what WithMetadata said, in canonical JSON; nil: none
	Size         int64           `json:"size"`               // of all files, in bytes
	Files        int             `json:"files"`              // entries in the tree
	Created      time.Time       `json:"created"`            // when the save began, by the store's clock
	Deleted      *time.Time      `json:"deleted,omitempty"`  // when it was deleted, by the store's clock; nil: it is live
	Purged       bool            `json:"purged,omitempty"`   // deleted for good, by Purge or long ago: it cannot be brought back
	Path         string          `json:"path"`               // where in the store its register is
}

// Ref returns the exact reference, name@version.
func (i *Info) Ref() string { return i.Name + "@" + i.Version.String() }

// DecodeMetadata decodes the metadata into the value that into points to.
func (i *Info) DecodeMetadata(into any) error {
	metadata := i.Metadata
	if len(metadata) == 0 {
		metadata = []byte("null")
	}
	return wrap(context.Background(), OpDecodeMetadata, i.Ref(), json.Unmarshal(metadata, into))
}

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

// pathAt returns the location of a key: the options of a URL stay at its end.
func pathAt(url, key string) string {
	query := ""
	if i := strings.IndexByte(url, '?'); i >= 0 && strings.Contains(url[:i], "://") {
		url, query = url[:i], url[i:]
	}
	return strings.TrimSuffix(url, "/") + "/" + key + query
}

// Info describes the version that ref means.
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

// Has reports whether there is a live version that ref means.
func (r *Registry) Has(ctx context.Context, ref string) (bool, error) {
	_, err := r.Info(ctx, ref)
	if errors.Is(err, ErrNotFound) && !isEnd(ctx, err) {
		return false, nil
	}
	return err == nil, err
}
