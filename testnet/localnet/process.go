// SPDX-License-Identifier: Apache-2.0

package localnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// ErrNode reports a node name that the network does not have.
var ErrNode = errors.New("no such node")

const (
	readyPoll   = 50 * time.Millisecond
	readyWithin = 30 * time.Second
	stopWithin  = 15 * time.Second
)

// Find returns the node called name, or numbered so. Errors: ErrNode.
func (n *Network) Find(name string) (*Node, error) {
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Nodes) {
		return &n.Nodes[i], nil
	}
	for i := range n.Nodes {
		if n.Nodes[i].Name == name {
			return &n.Nodes[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %q; the network has %s to %s", ErrNode, name, n.Nodes[0].Name, n.Nodes[len(n.Nodes)-1].Name)
}

// Client talks to a node with the token of its home.
func (m Node) Client() *client.Client {
	token, err := os.ReadFile(filepath.Join(m.Home, "rpc.token"))
	if err != nil {
		token = nil
	}
	return client.New(m.RPC, strings.TrimSpace(string(token)))
}

// Start starts every node that does not run and waits until all answer and the
// first block is final. progress may be nil.
func (n *Network) Start(ctx context.Context, progress func(string)) error {
	for i := range n.Nodes {
		if err := n.launch(&n.Nodes[i]); err != nil {
			return err
		}
	}
	for i := range n.Nodes {
		if err := n.Ready(ctx, &n.Nodes[i], 1); err != nil {
			return err
		}
		if progress != nil {
			progress(n.Nodes[i].Name + " is ready at " + n.Nodes[i].RPC)
		}
	}
	return nil
}

// launch starts one process that outlives this one.
func (n *Network) launch(m *Node) error {
	if m.Running() {
		return nil
	}
	log, err := os.OpenFile(m.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	line := slices.Concat(m.Command, []string{n.Program, "node", "--home", m.Home}, m.Args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=256MiB")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	m.PID = cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // reap it, if it ends before us
	return n.save()
}

// Log is the path of a node's log.
func (m Node) Log() string { return filepath.Join(m.Home, "node.log") }

// Running reports whether the node's process is alive and is ours.
func (m Node) Running() bool {
	if m.PID == 0 {
		return false
	}
	proc := fmt.Sprintf("/proc/%d/", m.PID)
	b, err := os.ReadFile(proc + "cmdline")
	if err == nil && len(b) == 0 { // between two programs of m.Command; what ended has no program
		_, err = os.Readlink(proc + "exe")
		return err == nil
	}
	return err == nil && bytes.Contains(b, []byte(m.Home))
}

// Ready waits until the node answers and has committed the height.
func (n *Network) Ready(ctx context.Context, m *Node, height uint64) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for {
		s, err := m.Client().NodeStatus(ctx, api.Empty{})
		if err == nil && s.Height >= height {
			return nil
		}
		if !m.Running() {
			return fmt.Errorf("%s stopped: %s", m.Name, lastLines(m.Log(), 3))
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %s", m.Name, lastLines(m.Log(), 3))
		}
	}
}

func lastLines(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// Kill ends a node's process at once, as a crash would.
func (n *Network) Kill(name string) error {
	m, err := n.Find(name)
	if err != nil {
		return err
	}
	if m.Running() {
		if err := syscall.Kill(m.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", m.Name, err)
		}
		waitGone(m)
	}
	m.PID = 0
	return n.save()
}

// Heal starts a node again and waits until it answers.
func (n *Network) Heal(ctx context.Context, name string) error {
	m, err := n.Find(name)
	if err != nil {
		return err
	}
	if err := n.launch(m); err != nil {
		return err
	}
	return n.Ready(ctx, m, 0)
}

// Down stops all nodes gracefully, and kills what does not stop in time.
func (n *Network) Down() error {
	for _, m := range n.Nodes {
		if m.Running() {
			_ = syscall.Kill(m.PID, syscall.SIGTERM)
		}
	}
	for i := range n.Nodes {
		m := &n.Nodes[i]
		if !waitGone(m) {
			_ = syscall.Kill(m.PID, syscall.SIGKILL)
			waitGone(m)
		}
		m.PID = 0
	}
	return n.save()
}

// waitGone polls until the process has ended; false if it did not in time.
func waitGone(m *Node) bool {
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for deadline := time.Now().Add(stopWithin); time.Now().Before(deadline); <-t.C {
		if !m.Running() {
			return true
		}
	}
	return false
}

// RSS is the resident memory of all processes together in bytes.
func (n *Network) RSS() (total uint64) {
	for _, m := range n.Nodes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", m.PID))
		if err != nil {
			continue
		}
		var size, pages uint64
		if _, err := fmt.Sscan(string(b), &size, &pages); err == nil {
			total += pages * uint64(os.Getpagesize())
		}
	}
	return total
}
