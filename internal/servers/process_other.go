//go:build !linux

package servers

import "os/exec"

func dieWithParent(*exec.Cmd) {}

func alive(int) bool { return true } // not known
