// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to end after SIGTERM.
const stopWithin = 10 * time.Second

// Group is the processes of one network. Its methods are for one goroutine.
type Group struct {
	Dir   string // logs
	procs []*process
}

type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// Start runs a command until Stop. Its output goes to a log of that name.
func (g *Group) Start(name string, command []string) error {
	p := &process{name: name, log: filepath.Join(g.Dir, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C is ours to handle
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows in its log
		close(p.ended)
	}()
	g.procs = append(g.procs, p)
	return nil
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Dead describes the first process that ended by itself, with the end of its
// log; empty if all run.
func (g *Group) Dead() string {
	for _, p := range g.procs {
		if !p.alive() {
			text, _ := os.ReadFile(p.log)
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			return p.name + " ended: " + strings.Join(lines[max(0, len(lines)-3):], " | ")
		}
	}
	return ""
}

// Kill ends process i at once, as a crash would, and waits for it.
func (g *Group) Kill(i int) {
	p := g.procs[i]
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// PIDs lists the processes that run.
func (g *Group) PIDs() (out []int) {
	for _, p := range g.procs {
		if p.alive() {
			out = append(out, p.cmd.Process.Pid)
		}
	}
	return out
}

// Stop ends all processes, by force if they do not go.
func (g *Group) Stop() {
	for _, p := range g.procs {
		if p.alive() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	deadline := time.After(stopWithin)
	for _, p := range g.procs {
		select {
		case <-p.ended:
		case <-deadline:
			for _, q := range g.procs {
				_ = q.cmd.Process.Kill()
			}
			<-p.ended
		}
	}
	g.procs = nil
}
