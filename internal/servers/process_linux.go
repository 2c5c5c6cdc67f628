package servers

import (
	"errors"
	"os/exec"
	"syscall"
)

// dieWithParent has the system kill the process when this one ends, however
// that happens.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
