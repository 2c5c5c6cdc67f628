package registry

import (
	"fmt"
	"slices"

	"github.com/mindtrace/registry/internal/commit"
	"github.com/mindtrace/registry/internal/tree"
	"github.com/mindtrace/registry/material"
)

// SaveOption adjusts one Save or Update. To give an option twice is an error.
type SaveOption interface{ applySave(*saveOptions) }

// LoadOption adjusts one Load. To give an option twice is an error.
type LoadOption interface{ applyLoad(*loadOptions) }

// Option adjusts one Save or one Load.
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
	ifLatest     string // the version that expect wants, as it was given
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

// given lists the names of the options of one call.
type given []string

// once notes an option that may be given only once.
func (g *given) once(name string) { *g = append(*g, name) }

// check refuses options that were given twice, and pairs that contradict each
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

// WithVersion saves under this version instead of the next one. If the version
// exists or ever existed, the error is ErrExists. It cannot be combined with
// WithIfLatest, WithIfAbsent or Update. "" counts as not given.
func WithVersion(version string) SaveOption {
	return saveOption(func(o *saveOptions) {
		if version != "" {
			o.once("WithVersion")
			o.version = version
		}
	})
}

// WithMetadata stores a value with the version, as JSON of at most 256 KiB. Info
// has it in Metadata.
func WithMetadata(metadata any) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithMetadata")
		o.metadata = metadata
	})
}

// WithClass sets Info.Class, which is otherwise the Go type of the value: printable
// characters, at most 1 KiB.
func WithClass(class string) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithClass")
		o.class = class
	})
}

// WithBase names the version whose stored chunks the save reuses, such as one of
// another object. Without it, that is the latest version of the same object. It
// contradicts WithoutReuse. "" counts as not given.
func WithBase(ref string) SaveOption {
	return saveOption(func(o *saveOptions) {
		if ref != "" {
			o.once("WithBase")
			o.base = ref
		}
	})
}

// WithoutReuse stores every chunk again and does not reuse chunks of an earlier
// version. Use it to save again what Verify has found damaged. If the store already
// has a pack of this era with the same chunks, the save reads it, and repairs it if
// it is damaged, for all versions that use it.
func WithoutReuse() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithoutReuse")
		o.noReuse = true
	})
}

// WithDereference follows the symbolic links in a Path that is a directory, and
// saves the files and directories that they lead to in their place, wherever those
// are. A link that leads nowhere, to a directory that contains it, or to a pipe,
// socket or device is an error. Values other than a Path are ErrType.
func WithDereference() SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithDereference")
		o.dereference = true
	})
}

// WithCompression overrides Options.Compression for one save. It does not change
// chunks that are reused from an earlier version.
func WithCompression(how Compression) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.once("WithCompression")
		o.compression = how
	})
}

type loadOption func(*loadOptions)

func (f loadOption) applyLoad(o *loadOptions) { f(o) }

// WithLoadReport fills in report if the load succeeds.
func WithLoadReport(report *LoadReport) LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithLoadReport")
		o.report = report
	})
}

// WithExact makes a load into a Path replace the path itself, whether it is a file
// or a directory with everything in it. The object never goes to a name in the
// directory, so the same load can be repeated. Old and new change places in one
// step where the system can do that; see the package documentation, under "Paths".
//
// It never replaces a mount point, anything that is neither a file nor a directory,
// or a directory that holds the current directory, the home directory or the
// registry. It contradicts WithNoClobber.
func WithExact() LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithExact")
		o.placing.Exact = true
	})
}

// WithNoClobber makes a load into a Path fail instead of replacing a file, also one
// that appears while the load runs. The error is fs.ErrExist. It contradicts
// WithExact.
func WithNoClobber() LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithNoClobber")
		o.placing.NoClobber = true
	})
}

// WithMaxSize refuses to load an object of more bytes, with ErrTooLarge, before any
// of its data is fetched.
func WithMaxSize(bytes int64) LoadOption {
	return loadOption(func(o *loadOptions) {
		o.once("WithMaxSize")
		o.maxSize = &bytes
	})
}

// WithReport fills in report if the save succeeds.
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

// WithMaterializer saves or loads with m, instead of the materializer for the type
// of the value or the one that saved the version. A load into a Path refuses it.
func WithMaterializer(m material.Materializer) Option { return materializerOption{m} }

type progressOption struct{ report func(Progress) }

func (o progressOption) applySave(s *saveOptions) { s.once("WithProgress"); s.progress = o.report }
func (o progressOption) applyLoad(l *loadOptions) { l.once("WithProgress"); l.progress = o.report }

// WithProgress calls report as data moves, instead of Options.Progress. The calls
// do not overlap.
func WithProgress(report func(Progress)) Option { return progressOption{report} }
