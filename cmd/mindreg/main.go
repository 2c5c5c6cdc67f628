// Mindreg keeps versioned objects — models, datasets, pipelines,
// configurations — in a directory or a bucket.
//
//	mindreg save my:model ./model      store a file or directory, get a version
//	mindreg load my:model ./here       fetch it again, verified
//	mindreg --help                     everything else
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mindtrace/registry/cache"
	"github.com/mindtrace/registry/internal/cachestore"
	"github.com/mindtrace/registry/internal/plain"
)

func main() {
	limitMemory()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program, with everything it touches as parameters.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second interrupt kills
	}()
	out := &sticky{w: stdout}
	a := &app{stdout: out, stderr: plain.NewWriter(stderr), terminal: stderr, stdin: stdin}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(a.stderr)
	err := interruptible(ctx, &a.patient, func() error { return root.ExecuteContext(ctx) })
	a.bars.stop()
	if c := a.cached.Load(); c != nil {
		cachestore.Of(c).Release()
	}
	if err == nil {
		err = out.err // an answer that did not arrive is none
	}
	if err != nil && !errors.As(err, new(*exitError)) {
		a.complain(ctx, err)
	}
	return exitCode(ctx, err)
}

// interruptible runs a command. After an interrupt it gives it a moment to
// clean up, but does not wait for a read that nothing can end, such as one
// from a terminal. Leaving in the middle is safe at any time, unless it is
// patient.
func interruptible(ctx context.Context, patient *atomic.Bool, command func() error) error {
	done := make(chan error, 1)
	go func() { done <- command() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Second):
		if patient.Load() {
			return <-done
		}
		return errLeft
	}
}

// errLeft is the end of a command that was left in the middle.
var errLeft = errors.New("left while it was under way")

// app is what the commands share.
type app struct {
	stdin    io.Reader
	stdout   *sticky   // for JSON and the bytes of objects; text goes through people
	stderr   io.Writer // for text: it escapes what no terminal should get
	terminal io.Writer // what stderr writes to, for progress and for other programs
	bars     bars
	patient  atomic.Bool // the command is to be waited for after an interrupt
	cached   atomic.Pointer[cache.Cache]

	url     string // --registry
	output  string // --output
	verbose bool
	quiet   bool
	offline bool
	noCache bool

	ran    string // the command, such as "tag set"
	args   []string
	writes bool // it may change the registry
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "mindreg",
		Short: "A versioned registry for models, datasets and configurations",
		Long: `Mindreg keeps versioned objects - models, datasets, pipelines, configurations -
in a directory or a bucket, without a server of its own. Saving a file or
directory gives a version; loading gives it back, every byte verified. Any
number of processes may do so at once.

An object's name is made of letters, digits, dots and dashes, in parts joined
by colons. A reference says which version is meant:

  my:model             the latest version
  my:model@1.2.3       exactly this one
  my:model@^1.2        the highest one in a range (^ ~ >= < ||, 1.x, *)
  my:model@sha256:...  the one with this digest
  my:model@prod        the one that the tag prod points at

mindreg help refs tells more. Where the registry is: --registry URL, or else
$MINDREG_URL, or else a directory among your own data.`,
		Example: `  mindreg save my:model ./model.bin
  mindreg save my:data ./dataset --version 2.1.0 --meta source=line-3
  mindreg ls
  mindreg versions my:model
  mindreg load my:model@^1 ./somewhere`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := noEmptyFlags(cmd); err != nil {
				return err
			}
			if a.output != "human" && a.output != "json" {
				return usagef("--output is human or json, not %q", a.output)
			}
			a.ran, a.args = strings.TrimPrefix(cmd.CommandPath(), "mindreg "), args
			switch cmd.Name() {
			case "save", "cp", "set", "rm", "init", "undelete", "prune", "purge", "gc", "verify", "run", "break":
				a.writes = true
			}
			if a.offline && a.mayAskCache(cmd) {
				a.remark("offline: the answer is from the cache and may be old")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: noArgs,
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.url, "registry", "r", "", "registry `URL` or directory (default $MINDREG_URL, else your own data directory)")
	f.StringVarP(&a.output, "output", "o", "human", "output `format`: human or json")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "tell on stderr what happens, request by request")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no remarks on stderr")
	f.BoolVar(&a.offline, "offline", false, "ask no registry in a bucket: show what the cache has, which may be old")
	f.BoolVar(&a.noCache, "no-cache", false, "neither use nor fill the local cache")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v%s (%s --help lists the flags)", err, meantFlag(cmd, err), cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "Saving and loading:"},
		&cobra.Group{ID: "look", Title: "Looking:"},
		&cobra.Group{ID: "admin", Title: "Maintenance:"},
	)
	root.AddCommand(
		a.saveCommand(), a.loadCommand(), a.checkoutCommand(), a.cpCommand(), a.tagCommand(),
		a.lsCommand(), a.versionsCommand(), a.infoCommand(),
		a.initCommand(), a.rmCommand(), a.undeleteCommand(), a.purgeCommand(), a.pruneCommand(), a.gcCommand(),
		a.verifyCommand(), a.lockCommand(), a.doctorCommand(), a.cacheCommand(), a.cleanCommand(), a.versionCommand(),
	)
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	root.Version = thisVersion().String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(a.stdout) // completion takes it now, not when it runs
	root.InitDefaultCompletionCmd()
	return root
}

// noEmptyFlags refuses flags that are given without a value: of a script whose
// variable is not set, which would work in another place than it means, or on
// more than it means.
func noEmptyFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = usagef("--%s is empty; give a value or leave it out", f.Name)
		}
	})
	return err
}

// usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		msg := fmt.Sprintf("unknown command %q", args[0])
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		for _, s := range nearest(args[0], names) {
			msg += fmt.Sprintf("; did you mean %q?", s)
		}
		return usagef("%s (%s --help lists the commands)", msg, cmd.CommandPath())
	}
	return usagef("%s takes no arguments, but got %q", cmd.Name(), args)
}

// someArgs checks the number of arguments; max < 0 means any.
func someArgs(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < min || max >= 0 && len(args) > max {
			return usagef("usage: %s (%s --help tells more)", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

var errProblems = errors.New("problems were found")
