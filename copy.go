package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/replicate"
)

// CopyOptions adjust Copy. nil means the zero value.
type CopyOptions struct {
	// Name is the object's name at the destination. "": the name at the source.
	// It needs a reference with a name.
	Name string
	// Version is the version's number at the destination. "": the number at the
	// source. It needs a reference to one version.
	Version string
	// DryRun changes nothing: the report says what would be copied.
	DryRun bool
	// Progress is called as data moves. nil: Options.Progress of the destination.
	Progress func(Progress)
}

// CopyReport says what Copy did.
type CopyReport struct {
	DryRun  bool            `json:"dryRun,omitzero"` // nothing was changed; Copied lists what would be copied
	Copied  []CopiedVersion `json:"copied"`
	Present int             `json:"present"` // versions that the destination had already, with the same content
	Tags    int             `json:"tags"`    // tags that were set or moved
	Read    int64           `json:"read"`    // bytes of the files in the copied versions
	Reused  int64           `json:"reused"`  // bytes of Read that the destination had already; they are not read at the source
	Stored  int64           `json:"stored"`  // bytes of the packs that were put at the destination
}

// CopiedVersion is a version that was copied, as it is at the destination.
type CopiedVersion struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"` // "sha256:..."
}

// Copy copies versions from one registry to another. ref means one version
// ("my:model@1.2.3"), those in a range ("my:model@^1"), with a name alone all
// versions of the object, and with "" all versions of all objects.
//
// Copy needs no materializer. It keeps numbers, digests, classes and metadata,
// and points the tags of the copied versions at the copies. It does not read
// chunks that the destination has in the version before. An unversioned
// destination gets only the latest version, under the next number there.
//
// Copy skips versions that the destination has already with the same digest. To
// finish a copy that failed half-way, run it again.
//
// Errors: ErrExists if the destination has a version of the same number with
// another digest, or had one that was deleted or failed with ErrTooSlow. Where
// one version fails, also because it is damaged or unreadable on one side, Copy
// still copies the others. If one of the registries failed, the error is a
// *SideError. With an error too, the report says what was done.
func Copy(ctx context.Context, to, from *Registry, ref string, opts *CopyOptions) (*CopyReport, error) {
	var o CopyOptions
	if opts != nil {
		o = *opts
	}
	if o.Progress == nil {
		o.Progress = to.progress
	}
	c := &replicate.Copy{To: to.ledger, From: from.ledger, Ref: ref, Name: o.Name, Version: o.Version, DryRun: o.DryRun}
	if o.Progress != nil {
		c.Progress = func(ref string, size int64, n chunk.Stats, finished bool) {
			o.Progress(Progress{Op: OpCopy, Ref: ref, Done: n.Read, Total: size, Reused: n.Reused, Stored: n.Stored, Finished: finished})
		}
	}
	err := c.Run(ctx)
	report := &CopyReport{DryRun: o.DryRun, Copied: []CopiedVersion{}, Present: c.Report.Present, Tags: c.Report.Tags, Read: c.Report.Read, Reused: c.Report.Reused, Stored: c.Report.Stored}
	for _, v := range c.Report.Copied {
		report.Copied = append(report.Copied, CopiedVersion{v.Name, v.Version, v.Digest.String()})
	}
	return report, wrap(ctx, OpCopy, ref, err)
}
