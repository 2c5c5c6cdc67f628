package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/material"
)

func (a *app) saveCommand() *cobra.Command {
	var f saveFlags
	cmd := &cobra.Command{
		Use:         "save NAME PATH|-",
		GroupID:     "main",
		Annotations: changes,
		Short:       "Store a file, a directory or standard input as a new version",
		Long: `Store a file, a directory or standard input (-) as a new version of the object NAME,
and print its reference. Only data that the version before lacks is stored. When
save returns, the version is complete and durable. If save fails or is interrupted,
there is no new version; run again, it sends only what is missing.

The version number is the patch release after the highest version (1.0.0 for the
first), or --version. With --if-latest or --if-absent, save succeeds only if no
other version was saved in between; otherwise the exit code is 5.

A directory is saved with its files, their executable bits, empty directories and
symbolic links. A link that leads out of the directory is an error; --dereference
saves the targets of links instead. Files of mindreg itself are left out, and
remarks name them: leftovers of interrupted loads (.mindreg-*), the registry, a
cache. A file that changes during the save is an error.

No other permissions are saved. A remark says if files or directories are private:
everybody who can read the registry can read them.

--meta key=value attaches JSON metadata. A value that is a JSON number, true, false
or null is stored as that; everything else is text: accuracy=0.93 is a number,
build=007 is text. Double quotes force text: --meta 'build="7"'. --meta key:=JSON
attaches any JSON: --meta 'shape:=[224,224]'. --meta-file attaches the JSON in
a file; --meta replaces its members of the same name.

$MINDREG_MEMORY_LIMIT limits the memory that mindreg uses for the data it moves
(default: 256MiB, or less on a small machine).`,
		Example: `  mindreg save my:model ./model.bin
  mindreg save my:data ./dataset --version 2.1.0 --meta source=line-3
  mindreg save my:model ./model.bin --meta accuracy=0.93 --meta 'labels:=["a","b"]'
  mindreg save my:model ./model.bin --if-latest 1.2.3 --tag staging
  mindreg save my:hub ~/.cache/huggingface/hub/models--x/snapshots/y -L
  tar c . | mindreg save backup:home -`,
		Args:              someArgs(2, 2),
		RunE:              func(cmd *cobra.Command, args []string) error { return runSave(cmd.Context(), a, f, args) },
		ValidArgsFunction: a.completeNameThenFile,
	}
	cmd.Flags().StringVar(&f.version, "version", "", "save as this `version`, a number that was never used")
	cmd.Flags().StringArrayVarP(&f.meta, "meta", "m", nil, "attach `key=value` or key:=JSON to the version; may be repeated")
	cmd.Flags().StringArrayVarP(&f.tags, "tag", "t", nil, "point this `tag` at the version; may be repeated")
	cmd.Flags().StringVar(&f.ifLatest, "if-latest", "", "save only if this `version` is the latest")
	cmd.Flags().BoolVar(&f.ifAbsent, "if-absent", false, "save only if the object does not exist")
	cmd.Flags().StringVar(&f.metaFile, "meta-file", "", "attach the JSON in this `file` (- for standard input)")
	cmd.Flags().StringVar(&f.base, "base", "", "reuse the stored data of this `reference`, not of the latest version")
	cmd.Flags().BoolVarP(&f.dereference, "dereference", "L", false, "save the targets of symbolic links, not the links")
	cmd.Flags().BoolVar(&f.noReuse, "no-reuse", false, "store all data again, for use when stored data is damaged")
	cmd.Flags().StringVar(&f.compression, "compression", string(registry.CompressionAuto), "`how` to store data: auto (compress where it pays) or none")
	cmd.Flags().StringVar(&f.class, "class", "", "what `kind` of thing this is; info shows it")
	return cmd
}

type saveFlags struct {
	version, metaFile, base, class string
	ifLatest, compression          string
	meta, tags                     []string
	ifAbsent, noReuse, dereference bool
}

// check refuses flags that contradict each other.
func (f *saveFlags) check(path string) error {
	switch {
	case f.ifLatest != "" && f.ifAbsent:
		return usagef("give --if-latest or --if-absent, not both")
	case f.noReuse && f.base != "":
		return usagef("give --base or --no-reuse, not both")
	case f.compression != string(registry.CompressionAuto) && f.compression != string(registry.CompressionNone):
		return usagef("--compression %s: give %s or %s", f.compression, registry.CompressionAuto, registry.CompressionNone)
	case f.dereference && path == "-":
		return usagef("--dereference follows links in a directory; standard input has none")
	}
	return nil
}

// options returns the options of a save of path.
func (f *saveFlags) options(path string) []registry.SaveOption {
	opts := []registry.SaveOption{
		registry.WithVersion(f.version),
		registry.WithTag(f.tags...), registry.WithCompression(registry.Compression(f.compression)),
	}
	if f.ifLatest != "" {
		opts = append(opts, registry.WithIfLatest(f.ifLatest))
	}
	if f.ifAbsent {
		opts = append(opts, registry.WithIfAbsent())
	}
	if f.base != "" {
		opts = append(opts, registry.WithBase(f.base))
	}
	if f.noReuse {
		opts = append(opts, registry.WithoutReuse())
	}
	if f.dereference {
		opts = append(opts, registry.WithDereference())
	}
	class := f.class
	if path == "-" {
		opts = append(opts, registry.WithMaterializer(material.Bytes{}))
		class = cmp.Or(class, "stream")
	}
	return append(opts, registry.WithClass(class))
}

func runSave(ctx context.Context, a *app, f saveFlags, args []string) error {
	name, path := args[0], args[1]
	metadata, err := readMeta(a.stdin, f.meta, f.metaFile, path)
	if err != nil {
		return err
	}
	if err := f.check(path); err != nil {
		return err
	}
	reg, err := a.openOrCreate(ctx)
	if err != nil {
		return err
	}
	var value any = registry.Path(path)
	if path == "-" {
		value = a.stdin
	}
	var report registry.SaveReport
	opts := append(f.options(path), registry.WithMetadata(metadata), registry.WithReport(&report), registry.WithProgress(a.progress()))
	start := time.Now()
	_, err = reg.Save(ctx, name, value, opts...)
	if notTagged := (*registry.TagError)(nil); errors.As(err, &notTagged) {
		err = &partialError{err} // the version is saved
	} else if err != nil {
		return err
	}
	a.bars.stop()
	a.remarkSaved(&report, time.Since(start))
	perr := a.print(saved{report.Info, report.Stored, report.Reused, report.Found, report.Private, report.LeftOut}, func(w io.Writer) {
		fmt.Fprintln(w, report.Info.Ref())
	})
	return cmp.Or(perr, err)
}

// remarkSaved says what was saved, and what of it may be a surprise.
func (a *app) remarkSaved(r *registry.SaveReport, took time.Duration) {
	name := r.Info.Name
	if i := strings.LastIndexByte(name, ':'); i > 0 && likeImageTag(name[i+1:]) {
		a.remark("%s is the name of an object; --version %s saves that version of %s", name, name[i+1:], name[:i])
	}
	a.remark("%s", saveSummary(*r, took))
	a.remarkLeftOut(r.LeftOut)
	if r.Private > 0 {
		a.remark("%s; a version keeps no permissions: a load creates them as the umask says",
			count(r.Private, "file or directory is readable by its owner only", "files and directories are readable by their owner only"))
	}
}

// likeImageTag reports whether the last part of a name looks like a version:
// other tools write NAME:VERSION.
func likeImageTag(s string) bool {
	if strings.Count(s, ".") < 2 {
		return false
	}
	_, err := registry.ParseVersion(s)
	return err == nil
}

// saved is the JSON output of save.
type saved struct {
	registry.Info
	Stored int64 `json:"stored"`          // bytes put for this version
	Reused int64 `json:"reused"`          // bytes of the version before that were reused
	Found  int64 `json:"found,omitempty"` // of stored, bytes that an interrupted save or another object had stored

	Private int `json:"private,omitempty"` // files and directories that only their owner may read

	LeftOut []registry.LeftOut `json:"left_out,omitempty"`
}

func saveSummary(r registry.SaveReport, took time.Duration) string {
	s := fmt.Sprintf("%s, %s in %s", r.Info.Digest, size(r.Read), inTree(r.Info))
	if r.Packs > 0 || r.Reused > 0 {
		s += fmt.Sprintf("; %s stored in %s", size(r.Stored), count(r.Packs, "pack", "packs"))
		if r.Found > 0 {
			s += fmt.Sprintf(", of which %s were stored before", size(r.Found))
		}
		s += fmt.Sprintf(", %s reused", size(r.Reused))
	}
	return s + fmt.Sprintf("; %s", took.Round(10*time.Millisecond))
}

// remarkLeftOut names the parts of a tree that were not saved.
func (a *app) remarkLeftOut(left []registry.LeftOut) {
	const most = 10
	for i, l := range left {
		if i == most {
			a.remark("left out: %s more; -o json lists all", count(len(left)-most, "entry", "entries"))
			return
		}
		a.remark("left out: %s, %s", l.Path, l.Why)
	}
}
