package registry

import (
	"fmt"
	"slices"

	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/tree"
	"github.com/mindtrace/registry/material"
)

// SaveOption adjusts one Save.
type SaveOption interface{ applySave(*saveOptions) }

// LoadOption adjusts one Load.
type LoadOption interface{ applyLoad(*loadOptions) }

// Option adjusts both.
type Option interface {
	SaveOption
	LoadOption
}

type saveOptions struct {
	given
	version      string
	metadata     any
	materializer material.Materializer
	class        string
	base         string
	noReuse      bool
	dereference  bool
	tags         []string
	expect       *commit.Expectation
	ifLatest     string // the version that expect wants, as given
	progress     func(Progress)
	report       *SaveReport
	compression  Compression
}

type loadOptions struct {
	given
	materializer material.Materializer
	progress     func(Progress)
	report       *LoadReport
	placing      tree.Placing
	maxSize      *int64
}

// given are the options of one call by name. Each says one thing, so it is given
// once; where two are, the call is refused.
type given []string

func (g *given) once(name string) { *g = append(*g, name) }

// check refuses an option that was given twice, and pairs that contradict each
// other.
func (g given) check(pairs ...[2]string) error {
	for i, name := range g {
		if slices.Contains(g[:i], name) {
			return fmt.Errorf("%s is given twice: give it once", name)
		}
	}
	for _, p := range pairs {
		if slices.Contains(g, p[0]) && slices.Contains(g, p[1]) {
			return fmt.Errorf("%s and %s contradict each other: give one of them", p[0], p[1])
		}
	}
	return nil
}

type saveOption func(*saveOptions)

func (f saveOption) applySave(o *saveOptions) { f(o) }

// WithVersion saves under this version instead of the next one. It must not
// exist, and must never have existed. An empty version is not given.
func WithVersion(version string) SaveOption {
	return saveOption(func(o *saveOptions) {
		if version != "" {
			o.once("WithVersion")
			o.version = version
		}
	})
}

// WithMetadata attaches any value that has a JSON form, up to 256 KiB of it.
func WithMetadata(metadata any) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithMetadata")
		o.metadata = metadata
	})
}

// WithClass names the type of the value in Info.Class, instead of its Go type:
// printable characters, up to 1 KiB.
func WithClass(class string) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithClass")
		o.class = class
	})
}

// WithBase names the version whose stored chunks are reused, for example that
// of another object. Without it, or with an empty ref, it is the latest version of the same
// object.
func WithBase(ref string) SaveOption {
	return saveOption(func(o *saveOptions) {
		if ref != "" {
			o.once("WithBase")
			o.base = ref
		}
	})
}

// WithoutReuse stores every chunk anew and reuses none of an earlier version:
// the way to save what Verify has found damaged. A pack of the same chunks
// that is there from this era is read and, if it is damaged, put right, for
// all versions that share it.
func WithoutReuse() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithoutReuse")
		o.noReuse = true
	})
}

// WithDereference saves, in place of the symbolic links in the directory that
// a Path names, the files and directories that they lead to, wherever they are.
// A link that leads nowhere, to a directory that it is in, or to a pipe, socket
// or device is an error. Any other value is ErrType.
func WithDereference() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithDereference")
		o.dereference = true
	})
}

// WithCompression is Options.Compression for one save: CompressionAuto or
// CompressionNone. Chunks that are reused of an earlier version stay as they
// are stored.
func WithCompression(how Compression) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithCompression")
		o.compression = how
	})
}

type loadOption func(*loadOptions)

func (f loadOption) applyLoad(o *loadOptions) { f(o) }

// WithLoadReport fills in report when the load has succeeded.
func WithLoadReport(report *LoadReport) LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithLoadReport")
		o.report = report
	})
}

// WithExact makes the destination of a load into a Path exactly the object,
// whatever is there before: a file, or a directory with all that is in it. It
// is the destination itself, never a name in it, so that the same load can be
// repeated. The old and the new change places in one step where the system can do
// that; see the package documentation, under "Paths". A mount point, what is no
// file or directory, and a directory that holds the current one, the user's home or
// the registry are never replaced.
func WithExact() LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithExact")
		o.placing.Exact = true
	})
}

// WithNoClobber makes a load into a Path fail with an error that is fs.ErrExist
// where it would replace a file, also one that appears while it runs.
func WithNoClobber() LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithNoClobber")
		o.placing.NoClobber = true
	})
}

// WithMaxSize refuses to load an object of more than so many bytes, with
// ErrTooLarge, before anything of it is fetched.
func WithMaxSize(bytes int64) LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithMaxSize")
		o.maxSize = &bytes
	})
}

// WithReport fills in report when the save has succeeded.
func WithReport(report *SaveReport) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithReport")
		o.report = report
	})
}

type materializerOption struct{ m material.Materializer }

func (o materializerOption) applySave(s *saveOptions) {
	s.once("WithMaterializer")
	s.materializer = o.m
}
func (o materializerOption) applyLoad(l *loadOptions) {
	l.once("WithMaterializer")
	l.materializer = o.m
}

// WithMaterializer saves or loads with m, whatever the type of the value or
// the name stored with the object says.
func WithMaterializer(m material.Materializer) Option { return materializerOption{m} }

type progressOption struct{ report func(Progress) }

func (o progressOption) applySave(s *saveOptions) { s.once("WithProgress"); s.progress = o.report }
func (o progressOption) applyLoad(l *loadOptions) { l.once("WithProgress"); l.progress = o.report }

// WithProgress has report called as data moves. Its calls do not overlap.
func WithProgress(report func(Progress)) Option { return progressOption{report} }
