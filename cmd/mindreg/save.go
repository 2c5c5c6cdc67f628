package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	registry "github.com/mindtrace/registry"
	"github.com/mindtrace/registry/material"
)

// spareProc gives the runtime one more goroutine to run at once: those that
// wait for the disk in a system call count, too, until it notices, and so the
// processors idle for a tenth of a large save.
var spareProc = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
})

func (a *app) saveCommand() *cobra.Command {
	var version, metaFile, base, class string
	var meta, tags []string
	var ifLatest string
	var ifAbsent, noReuse, dereference bool
	var compression string
	cmd := &cobra.Command{
		Use:     "save NAME PATH|-",
		GroupID: "main",
		Short:   "Store a file, a directory or standard input as a new version",
		Long: `Store a file, a directory or standard input (-) as a new version of the object
NAME, and print the reference of that version. Only what the version before
does not hold already is stored. The version is complete and durable when the
command returns; if it fails or is interrupted, nothing is to be seen of it. Run
again, it moves only what it had not moved yet.

A directory is saved with its files, their executable bits, empty directories,
and the symbolic links that stay inside it; others are an error, unless
--dereference saves what links lead to in their place. What is mindreg's own in it
is left out, and named: what interrupted loads have left (.mindreg-*), the
registry itself, a cache. A file that somebody writes to meanwhile is an error.

Of permissions, it keeps whether a file is executable. A remark says if there are
files or directories that only their owner may read: who loads them gets what the
umask leaves, and whoever may read the registry may read them.

The version is the patch release after the highest one (1.0.0 for the first),
unless --version names one. With --if-latest or --if-absent it is saved only if
nobody has saved another one since: exit code 5 otherwise.

Metadata is JSON. With --meta key=value, a value that is a JSON number, true,
false or null is that, and anything else is text: accuracy=0.93 is a number,
build=007 is text. A value in double quotes is text too: --meta 'build="7"'. With
--meta key:=JSON the value is any JSON: --meta 'shape:=[224,224]'. --meta wins
over a member of that name in the object of --meta-file.

$MINDREG_MEMORY_LIMIT says how much memory this and every other command may
use for the data it moves (default: 256MiB, or less on a small machine).`,
		Example: `  mindreg save my:model ./model.bin
  mindreg save my:data ./dataset --version 2.1.0 --meta source=line-3
  mindreg save my:model ./model.bin --meta accuracy=0.93 --meta 'labels:=["a","b"]'
  mindreg save my:model ./model.bin --if-latest 1.2.3 --tag staging
  mindreg save my:hub ~/.cache/huggingface/hub/models--x/snapshots/y -L
  tar c . | mindreg save backup:home -`,
		Args: someArgs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			spareProc()
			name, path := args[0], args[1]
			metadata, err := readMeta(a.stdin, meta, metaFile, path)
			if err != nil {
				return err
			}
			var report registry.SaveReport
			opts := []registry.SaveOption{
				registry.WithReport(&report), registry.WithVersion(version), registry.WithMetadata(metadata),
				registry.WithBase(base), registry.WithClass(class), registry.WithProgress(a.progress()), registry.WithTag(tags...),
			}
			if cmd.Flags().Changed("if-latest") {
				if ifAbsent {
					return usagef("give --if-latest or --if-absent, not both")
				}
				opts = append(opts, registry.WithIfLatest(ifLatest))
			}
			if ifAbsent {
				opts = append(opts, registry.WithIfAbsent())
			}
			switch compression {
			case registry.CompressionAuto, registry.CompressionNone:
				opts = append(opts, registry.WithCompression(compression))
			default:
				return usagef("--compression %s: give %s or %s", compression, registry.CompressionAuto, registry.CompressionNone)
			}
			if noReuse {
				if base != "" {
					return usagef("give --base or --no-reuse, not both")
				}
				opts = append(opts, registry.WithoutReuse())
			}
			if dereference {
				opts = append(opts, registry.WithDereference())
			}
			var value any = registry.Path(path)
			if path == "-" {
				if dereference {
					return usagef("--dereference follows links in a directory; standard input has none")
				}
				value = a.stdin
				opts = append(opts, registry.WithMaterializer(material.Bytes{}))
				if class == "" {
					opts = append(opts, registry.WithClass("stream"))
				}
			}
			reg, err := a.openOrMake(cmd.Context())
			if err != nil {
				return err
			}
			start := time.Now()
			_, err = reg.Save(cmd.Context(), name, value, opts...)
			if notTagged := (*registry.TagError)(nil); errors.As(err, &notTagged) {
				err = &partialError{err} // the version is there
			} else if err != nil {
				return err
			}
			a.bars.stop()
			if i := strings.LastIndexByte(name, ':'); i > 0 && imageTag.MatchString(name[i+1:]) {
				a.remark("%s is the name of an object; version %s of %s is saved with --version %[2]s", name, name[i+1:], name[:i])
			}
			a.remark("%s", saveSummary(report, time.Since(start)))
			a.remarkLeftOut(report.LeftOut)
			if report.Private > 0 {
				a.remark("%s, which a load does not keep: it makes them as the umask says",
					count(report.Private, "file or directory is readable by its owner only", "files and directories are readable by their owner only"))
			}
			perr := a.print(saved{report.Info, report.Stored, report.Reused, report.Found, report.Private, report.LeftOut}, func(w io.Writer) {
				fmt.Fprintln(w, report.Info.Ref())
			})
			return cmp.Or(perr, err)
		},
		ValidArgsFunction: a.completeNameThenFile,
	}
	f := cmd.Flags()
	f.StringVar(&version, "version", "", "save under this `version`, which must never have existed")
	f.StringArrayVarP(&meta, "meta", "m", nil, "attach `key=value` to the version, or key:=JSON; may be repeated")
	f.StringArrayVarP(&tags, "tag", "t", nil, "point this `tag` at the version; may be repeated")
	f.StringVar(&ifLatest, "if-latest", "", "save only if this `version` is the latest")
	f.BoolVar(&ifAbsent, "if-absent", false, "save only if the object does not exist")
	f.StringVar(&metaFile, "meta-file", "", "attach the JSON value in this `file` (- for standard input); --meta adds to it")
	f.StringVar(&base, "base", "", "reuse the stored chunks of this `reference`, not of the latest version")
	f.BoolVarP(&dereference, "dereference", "L", false, "save what symbolic links lead to, not the links")
	f.BoolVar(&noReuse, "no-reuse", false, "store everything anew, where stored chunks are damaged")
	f.StringVar(&compression, "compression", registry.CompressionAuto, "store what is new compressed where that pays (`auto`), or as it is (none)")
	f.StringVar(&class, "class", "", "what `kind` of thing this is, for info")
	return cmd
}

// imageTag is a version where a name ends: so other tools write it.
var imageTag = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+`)

// saved is the JSON output of save.
type saved struct {
	registry.Info
	Stored int64 `json:"stored"`          // bytes put for this version
	Reused int64 `json:"reused"`          // bytes found stored already
	Found  int64 `json:"found,omitempty"` // of stored, bytes that were there: of an interrupted save, or another object

	Private int `json:"private,omitempty"` // files and directories that only their owner may read

	LeftOut []registry.LeftOut `json:"left_out,omitempty"`
}

func saveSummary(r registry.SaveReport, took time.Duration) string {
	s := fmt.Sprintf("%s, %s in %s", r.Info.Digest, size(r.Read), inTree(r.Info))
	if r.Packs > 0 || r.Reused > 0 {
		s += fmt.Sprintf("; %s stored in %s", size(r.Stored), count(r.Packs, "pack", "packs"))
		if r.Found > 0 {
			s += fmt.Sprintf(", of which %s were there already", size(r.Found))
		}
		s += fmt.Sprintf(", %s reused", size(r.Reused))
	}
	return s + fmt.Sprintf("; %s", took.Round(10*time.Millisecond))
}

// remarkLeftOut says what of a tree was not saved.
func (a *app) remarkLeftOut(left []registry.LeftOut) {
	const most = 10
	for i, l := range left {
		if i == most {
			a.remark("left out: %s more, which -o json lists", count(len(left)-most, "entry", "entries"))
			return
		}
		a.remark("left out: %s, %s", l.Path, l.Why)
	}
}
