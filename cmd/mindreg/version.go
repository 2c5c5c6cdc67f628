package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/mindtrace/registry/internal/manifest"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: "admin",
		Short:   "Print the version of this program",
		Long: `Print the version of this program, of the format of registries that it reads and
writes, and of the Go that built it.`,
		Example: `  mindreg version -o json`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := thisVersion()
			return a.print(v, func(w io.Writer) { fmt.Fprintln(w, v) })
		},
	}
}

func thisVersion() versionOutput {
	v := versionOutput{Version: "devel", Format: manifest.Format, Go: runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		v.Version = b.Main.Version
	}
	return v
}

func (v versionOutput) String() string {
	return fmt.Sprintf("mindreg %s, format %d, %s", v.Version, v.Format, v.Go)
}

// versionOutput is the JSON output of version.
type versionOutput struct {
	Version string `json:"version"`
	Format  int    `json:"format"`
	Go      string `json:"go"`
}
