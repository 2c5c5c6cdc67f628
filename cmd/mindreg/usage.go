package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// noEmptyFlags refuses a flag with an empty value. A script with a variable
// that is not set gives one: it would work in the wrong place, or on too much.
func noEmptyFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = usagef("--%s is empty; give a value or leave the flag out", f.Name)
		}
	})
	return err
}

// noArgs refuses arguments. To a command with subcommands, the first argument
// is the name of one that does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return usagef("%s takes no arguments, but got %q", strings.TrimPrefix(cmd.CommandPath(), "mindreg "), args)
	}
	msg := fmt.Sprintf("unknown command %q", args[0])
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if like := nearest(args[0], names); len(like) > 0 {
		path := cmd.CommandPath() + " "
		msg += fmt.Sprintf("; did you mean %s%s?", path, strings.Join(like, " or "+path))
	}
	return usagef("%s (%s --help lists the commands)", msg, cmd.CommandPath())
}

// someArgs checks the number of arguments; max < 0 means any.
func someArgs(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return usagef("an argument is missing; usage: %s (%s --help says more)", cmd.UseLine(), cmd.CommandPath())
		case max >= 0 && len(args) > max:
			return usagef("too many arguments; usage: %s (%s --help says more)", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}
