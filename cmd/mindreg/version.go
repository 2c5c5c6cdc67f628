package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/internal/manifest"
)

// A release build sets these with -ldflags "-X main.buildVersion=v1.2.3 ...". They
// override what Go has recorded about the build.
var (
	buildVersion string // with its v
	buildCommit  string // the full hash
	buildDate    string // when the commit was made, in RFC 3339
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: "admin",
		Short:   "Print the version of this program",
		Long: `Print the version of this program, the commit it was built from and the date of
that commit, the format of registries that it reads and writes, and the version
of Go that built it. What the build did not record is left out.`,
		Example: `  mindreg version
  mindreg version -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := thisVersion()
			return a.print(v, func(w io.Writer) { fmt.Fprintln(w, v) })
		},
	}
}

// versionOutput is the JSON output of version.
type versionOutput struct {
	Version  string     `json:"version"`
	Commit   string     `json:"commit,omitempty"`
	Date     *time.Time `json:"date,omitempty"`     // of the commit
	Modified bool       `json:"modified,omitempty"` // the files differed from the commit
	Format   int        `json:"format"`
	Go       string     `json:"go"`
}

func (v versionOutput) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "mindreg %s", v.Version)
	if v.Commit != "" {
		fmt.Fprintf(&s, ", commit %.12s", v.Commit)
		if v.Date != nil {
			fmt.Fprintf(&s, " of %s", v.Date.Format(time.DateOnly))
		}
		if v.Modified {
			s.WriteString(", modified")
		}
	}
	fmt.Fprintf(&s, ", format %d, %s", v.Format, v.Go)
	return s.String()
}

// thisVersion is the version of this program.
func thisVersion() versionOutput {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

// versionOf returns the version that the linker has set, or that in info.
func versionOf(info *debug.BuildInfo) versionOutput {
	v := versionOutput{Version: "devel", Format: manifest.Format, Go: runtime.Version()}
	when := buildDate
	if info != nil {
		if m := info.Main.Version; m != "" && m != "(devel)" {
			v.Version = m
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.time":
				if when == "" {
					when = s.Value
				}
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	if buildVersion != "" {
		v.Version = buildVersion
	}
	if buildCommit != "" {
		v.Commit = buildCommit
	}
	if t, err := time.Parse(time.RFC3339, when); err == nil {
		t = t.UTC()
		v.Date = &t
	}
	return v
}
