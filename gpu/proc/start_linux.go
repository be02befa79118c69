// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Worker is the process to start.
type Worker struct {
	Path     string        // the program, for example /proc/self/exe
	Args     []string      // without the name
	Env      []string      // in addition to this process's
	Deadline time.Duration // of one call
}

// Files that the worker finds open.
const (
	fdRequests = 3 + iota
	fdReplies
	fdShared
)

// Start runs a worker and waits until its device answers. The worker is killed
// when this process ends. Errors: gpu.ErrLost with what the worker said last,
// gpu.ErrDeadline.
func Start(w Worker) (*Device, error) {
	shared, memory, err := share()
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	defer shared.Close()
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		ourOut.Close()
		return nil, err
	}
	cmd := exec.Command(w.Path, w.Args...)
	cmd.Env = append(os.Environ(), w.Env...)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut, shared}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	last := &tail{}
	cmd.Stderr = last
	ended, err := run(cmd)
	theirIn.Close() // so that the end of the worker is the end of its replies
	theirOut.Close()
	if err != nil {
		ourOut.Close()
		ourIn.Close()
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	end := sync.OnceValue(func() string {
		ourOut.Close()
		gone := finish(ended, func() { cmd.Process.Kill() })
		ourIn.Close()
		if !gone {
			return fmt.Sprintf("process %d was killed and does not end; its driver hangs, the machine may have to be started again", cmd.Process.Pid)
		}
		unix.Munmap(memory)
		return fmt.Sprintf("%s; %s", cmd.ProcessState, last)
	})
	d, err := connect(ourIn, ourOut, memory, w.Deadline, end)
	if err == nil {
		d.kill = func() { cmd.Process.Kill() }
	}
	return d, err
}

// run starts cmd from a thread that lives as long as it: Pdeathsig speaks of the
// thread that started a process, not of its process.
func run(cmd *exec.Cmd) (ended chan struct{}, err error) {
	started := make(chan error)
	ended = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		close(ended)
	}()
	return ended, <-started
}

// How long a worker may take to end by itself when its requests end, and how long
// until one that was killed is gone.
const (
	grace    = 200 * time.Millisecond
	patience = 20 * time.Second
)

// finish waits until a worker has ended and kills it after grace. False: it was still
// there after patience. A driver that hangs inside the system keeps its process from
// dying, and the node must not wait for that.
func finish(ended <-chan struct{}, kill func()) bool {
	defer time.AfterFunc(grace, kill).Stop()
	select {
	case <-ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// share makes the transfer memory, of fixed size.
func share() (*os.File, []byte, error) {
	fd, err := unix.MemfdCreate("openledger-gpu", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), "openledger-gpu")
	if err = f.Truncate(segment); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	var memory []byte
	if err == nil {
		memory, err = unix.Mmap(fd, 0, segment, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, memory, nil
}

// Files returns what a worker works with: its requests, its replies and the
// transfer memory, as Start left them open. It also offers this process to the
// kernel first when memory runs out.
func Files() (requests, replies *os.File, shared []byte, err error) {
	shared, err = unix.Mmap(fdShared, 0, segment, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("not started as a worker: %w", err)
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0) // not permitted everywhere
	return os.NewFile(fdRequests, "requests"), os.NewFile(fdReplies, "replies"), shared, nil
}

// tail keeps the first and the last bytes of what a worker says.
type tail struct {
	mu          sync.Mutex
	first, last []byte
}

const tailBytes = 1024

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(tailBytes-len(t.first), len(b))
	t.first, t.last = append(t.first, b[:n]...), append(t.last, b[n:]...)
	if len(t.last) > tailBytes {
		t.last = append(t.last[:0], t.last[len(t.last)-tailBytes:]...)
	}
	return len(b), nil
}

// String leaves out the stacks of goroutines, which follow the words of a crash.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := string(t.first) + string(t.last)
	text, _, _ = strings.Cut(text, "\ngoroutine ")
	if text = strings.TrimSpace(text); text == "" {
		return "it said nothing"
	}
	return "it said: " + text
}
