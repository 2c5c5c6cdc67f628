package filestore_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/filestore"
)

// ablation leaves one rule out. What comes of it has to be found.
type ablation struct {
	name   string
	in     *scenario
	broken func() filestore.Break
	wrap   func(store.Store) store.Store
	// unseen: the registry shows nothing of it. Only a look at the bytes that
	// are there under every key does.
	unseen bool
}

func isDir(name string) bool  { return strings.HasSuffix(name, "/") }
func isFile(name string) bool { return !isDir(name) && !strings.HasPrefix(name, ".") }

// breaking returns a Break of those flushes of a kind, below a directory, for
// which when holds.
func breaking(op, below string, then filestore.Flush, when func(dir string, pending []string) bool) func() filestore.Break {
	return func() filestore.Break {
		return func(o, dir string, pending []string) filestore.Flush {
			if o == op && strings.Contains(dir+"/", below) && (when == nil || when(dir, pending)) {
				return then
			}
			return filestore.FlushNow
		}
	}
}

func onlyTime(_ string, pending []string) bool {
	return slices.Contains(pending, "time") && !slices.Contains(pending, "write")
}

func withFiles(_ string, pending []string) bool { return slices.ContainsFunc(pending, isFile) }

func withDirs(_ string, pending []string) bool {
	return slices.ContainsFunc(pending, isDir) && !slices.ContainsFunc(pending, isFile)
}

const (
	not  = filestore.FlushNot
	late = filestore.FlushLate
)

func unflushed(st store.Store) store.Store { return noFlush{st} }

var powerAblations = []ablation{
	{name: "files are not flushed", in: small, broken: breaking("sync", "", not, nil)},
	{name: "packs are not flushed", in: packs, broken: breaking("sync", "/packs/", not, nil)},
	{name: "replacements are not flushed", in: small, broken: breaking("sync", "/tags/", not, nil)},
	{name: "files are named before their flush", in: small, broken: breaking("sync", "/objects/", late, nil)},
	{name: "packs are named before their flush", in: packs, broken: breaking("sync", "/packs/", late, nil), unseen: true},
	{name: "files are replaced before their flush", in: setBack, broken: breaking("sync", "/tags/", late, nil)},
	{name: "times are set after the flush", in: setBack, broken: breaking("sync", "", not, onlyTime), unseen: true},
	{name: "directories are not flushed", in: packs, broken: breaking("syncdir", "", not, nil)},
	{name: "new parents are not flushed", in: small, broken: breaking("syncdir", "", not, withDirs)},
	{name: "parents of packs are not flushed", in: packs, broken: breaking("syncdir", "/packs/", not, withDirs)},
	{name: "names are not flushed", in: racing, broken: breaking("syncdir", "/objects/", not, withFiles)},
	{name: "names of packs are not flushed", in: packs, broken: breaking("syncdir", "/packs/", not, withFiles)},
	{name: "names of replacements are not flushed", in: setBack, broken: breaking("syncdir", "", not, withFiles)},
	{name: "a register is put before its packs", in: packs, wrap: func(st store.Store) store.Store { return &packsLast{Store: st} }},
	{name: "packs that are found are not flushed", in: interrupted, wrap: unflushed},
	{name: "versions that are tagged are not flushed", in: tagging, wrap: unflushed},
	{name: "states that are found are not flushed", in: undeleting, wrap: unflushed},
}

// Every rule is needed: without it, something is lost in some power failure.
func TestPowerLossAblations(t *testing.T) {
	for _, a := range powerAblations {
		t.Run(a.name, func(t *testing.T) {
			for _, bytes := range []bool{true, false} {
				if testing.Short() && bytes != a.unseen {
					continue
				}
				o := powerOptions{wrap: a.wrap, seed: 1, random: 2, noBytes: !bytes}
				if a.broken != nil {
					o.broken = a.broken()
				}
				n, err := powerLoss(t, a.in, o)
				switch {
				case !bytes && a.unseen && err == nil:
				case err == nil:
					t.Errorf("not found in %d images; bytes compared: %v", n, bytes)
				default:
					t.Logf("found in image %d: %v", n, err)
				}
			}
		})
	}
}

// noFlush is a store that does not flush what is found.
type noFlush struct{ store.Store }

// packsLast puts packs only when a register has named them.
type packsLast struct {
	store.Store
	mu   sync.Mutex
	held []func() error
}

func (p *packsLast) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if strings.HasPrefix(key, manifest.PacksPrefix) {
		now, err := p.Now(ctx)
		ctx, body := context.WithoutCancel(ctx), bytes.Clone(body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = append(p.held, func() error {
			_, err := p.Store.Put(ctx, key, body, match)
			return err
		})
		return store.Info{Key: key, Size: int64(len(body)), Token: "later", Modified: now, Now: now}, err
	}
	info, err := p.Store.Put(ctx, key, body, match)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, put := range p.held {
		if perr := put(); perr != nil {
			return info, perr
		}
	}
	p.held = nil
	return info, err
}
