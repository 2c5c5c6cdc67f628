package registry

import (
	"context"

	"github.com/mindtrace/registry/internal/chunk"
	"github.com/mindtrace/registry/internal/replicate"
)

// CopyOptions adjust Copy. nil means the zero value.
type CopyOptions struct {
	// Name is what the object is called at the destination; "" means as at the
	// source. It needs a reference with a name.
	Name string
	// Version is the number at the destination; "" means that of the source.
	// It needs a reference to one version.
	Version string
	// DryRun changes nothing: the report says what would be copied.
	DryRun bool
	// Progress is called as data moves. nil: that of the destination's Options.
	Progress func(Progress)
}

// CopyReport tells what Copy did.
type CopyReport struct {
	DryRun  bool            `json:"dryRun,omitzero"` // nothing was changed; "copied" is what would be
	Copied  []CopiedVersion `json:"copied"`
	Present int             `json:"present"` // versions that were there already, with the same content
	Tags    int             `json:"tags"`    // set or moved

	// Bytes: of the versions copied, of these what the destination held already,
	// which is not read at the source, and of the packs put for them.
	Read   int64 `json:"read"`
	Reused int64 `json:"reused"`
	Stored int64 `json:"stored"`
}

// CopiedVersion is one version that was copied, as it is at the destination.
type CopiedVersion struct {
	Name    string  `json:"name"`
	Version Version `json:"version"`
	Digest  string  `json:"digest"`
}

// Copy copies versions from one registry to another: the one that ref means,
// all in its range, with a name alone all versions of it, with "" everything.
// The bytes are copied as they are, without their materializers; numbers,
// digests, classes and metadata stay, and the tags of the versions copied point
// at them there, too. Chunks that the destination holds in the
// version before are not read.
//
// A version that is there already, with the same digest, is left as it is, so
// that a copy that failed half-way is finished by running it again. One that
// is there with another digest, or was deleted or saved too late there, is
// ErrExists; the others are copied all the same, as they are where one is
// damaged, or cannot be read, on either side. An unversioned destination takes the latest version
// alone, under its next number.
//
// Errors are *SideError where one of the registries failed. The report tells
// what was done, also with an error.
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
