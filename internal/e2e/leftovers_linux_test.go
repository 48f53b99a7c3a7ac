package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// This program is started again, with a plane of its own, and ended in the midst
// of things.
func TestNothingIsLeftOfAPlaneHoweverItsProcessEnds(t *testing.T) {
	temp := t.TempDir()
	for _, c := range []struct {
		name   string
		after  string // was printed
		runs   string // by then
		signal syscall.Signal
		left   int // folders, which the next plane sweeps away
	}{
		{"interrupted while it starts", "plane: etcd", "server", syscall.SIGINT, 0},
		{"killed in a rollout", halfway, "envoy", syscall.SIGKILL, 1},
		{"interrupted in a rollout", halfway, "envoy", syscall.SIGINT, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestAnAbortTurnsEverythingBackAtOnce$")
			cmd.Env = append(os.Environ(), "TMPDIR="+temp)
			process, err := controlPlane(t).Run(strings.ReplaceAll(c.name, " ", "-"), cmd)
			require.NoError(t, err)
			defer process.Kill()
			require.Eventually(t, func() bool { return strings.Contains(process.Log(), c.after) }, 3*time.Minute, time.Millisecond)
			require.Contains(t, withTemp(t, temp), c.runs)

			require.NoError(t, cmd.Process.Signal(c.signal))

			require.NotZero(t, process.Wait(), "the test did not end before")
			require.Eventually(t, func() bool { return len(withTemp(t, temp)) == 0 }, 10*time.Second, 10*time.Millisecond, "processes are left")
			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Len(t, left, c.left)
		})
	}
}

// withTemp is the names of the processes that have this folder for temporary files.
func withTemp(t *testing.T, folder string) []string {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []string
	for _, file := range all {
		variables, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(variables, []byte("TMPDIR="+folder+"\x00")) {
			continue
		}
		if name, err := os.ReadFile(filepath.Join(filepath.Dir(file), "comm")); err == nil {
			found = append(found, strings.TrimSpace(string(name)))
		}
	}
	return found
}
