// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// crashing is an engine that kills its process after a number of entries.
type crashing struct {
	engine
	left int
}

func (c *crashing) write(ts uint64, entries []entry) error {
	if len(entries) <= c.left {
		c.left -= len(entries)
		return c.engine.write(ts, entries)
	}
	if err := c.engine.write(ts, entries[:c.left]); err != nil {
		return err
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Environment of the child processes of the tests below.
const (
	envDir  = "STORE_TEST_DIR"
	envLeft = "STORE_TEST_LEFT" // entries until the crash; -1 is never
	envHead = "STORE_TEST_HEAD" // last height to commit
)

// TestMain lets this test binary play the process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(envDir) == "" {
		os.Exit(m.Run())
	}
	if err := childMain(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childMain commits the story up to a height and prints each height when its
// commit has returned.
func childMain() error {
	left, _ := strconv.Atoi(os.Getenv(envLeft))
	last, _ := strconv.ParseUint(os.Getenv(envHead), 10, 64)
	s, err := disk{os.Getenv(envDir)}.open()
	if err != nil {
		return err
	}
	if left >= 0 {
		s.ledger = &crashing{s.ledger, left}
	}
	for {
		h, ok := s.Head()
		if ok && h.Height >= last {
			return nil
		}
		next := uint64(0)
		if ok {
			next = h.Height + 1
		}
		if err := s.Commit(block(&testing.T{}, s, storyWrites(next)...)); err != nil {
			return err
		}
		fmt.Println(next)
	}
}

func child(dir string, left int, last uint64) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDir+"="+dir, envLeft+"="+strconv.Itoa(left), envHead+"="+fmt.Sprint(last))
	cmd.Stderr = os.Stderr
	return cmd
}

func wasKilled(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e) && e.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// TestSTA07AKillAtEveryWriteOfACommitLosesNothingAndInventsNothing kills a
// process behind every entry of block 2 and then carries on.
func TestSTA07AKillAtEveryWriteOfACommitLosesNothingAndInventsNothing(t *testing.T) {
	base := t.TempDir()
	s := mustOpen(t, disk{base})
	mustCommit(t, s, storyWrites(0)...)
	mustCommit(t, s, storyWrites(1)...)
	entries := len(block(t, s, storyWrites(2)...).entries())
	mustClose(t, s)
	before, after, end := dump(t, twin(t, 1)), dump(t, twin(t, 2)), dump(t, twin(t, 3))
	for left := 0; left <= entries+1; left++ {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		if err := child(dir, left, 3).Run(); !wasKilled(err) {
			t.Fatalf("after %d entries: %v", left, err)
		}
		s := mustOpen(t, disk{dir})
		want := before
		if left > entries { // the marker was written
			want = after
		}
		sameDump(t, fmt.Sprintf("killed after %d of %d entries", left, entries), dump(t, s), want)
		for {
			h, _ := s.Head()
			if h.Height == 3 {
				break
			}
			mustCommit(t, s, storyWrites(h.Height+1)...)
		}
		sameDump(t, "carried on", dump(t, s), end)
		mustClose(t, s)
	}
}

func TestAKilledProcessHasKeptEveryReportedBlock(t *testing.T) {
	for _, n := range []int{1, 40} {
		dir := t.TempDir()
		cmd := child(dir, -1, 100_000)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		reported := uint64(0)
		lines := bufio.NewScanner(out)
		for range n {
			lines.Scan()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if reported, err = strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); !wasKilled(err) {
			t.Fatal(err)
		}
		s := mustOpen(t, disk{dir})
		h, ok := s.Head()
		if !ok || h.Height < reported {
			t.Fatalf("head %d, %v after %d was reported", h.Height, ok, reported)
		}
		sameDump(t, "after the kill", dump(t, s), dump(t, twin(t, h.Height)))
		mustClose(t, s)
	}
}

// TestAnUnfinishedBlockLeavesNoTrace writes part of one block, then commits
// another one at the same height.
func TestAnUnfinishedBlockLeavesNoTrace(t *testing.T) {
	for _, height := range []uint64{0, 3} {
		for _, eighth := range []int{0, 1, 4, 7, 8} {
			for _, at := range []site{disk{t.TempDir()}, ram{newMemory(), newMemory()}} {
				what := fmt.Sprintf("%T, height %d, %d of 8 parts written", at, height, eighth)
				s := mustOpen(t, at)
				for h := range height {
					mustCommit(t, s, storyWrites(h)...)
				}
				all := block(t, s, storyWrites(height+100)...).entries()
				if err := s.ledger.write(timeOf(height), all[:len(all)*eighth/8]); err != nil {
					t.Fatal(err)
				}
				mustClose(t, s)
				s = mustOpen(t, at)
				if height > 0 {
					sameDump(t, what, dump(t, s), dump(t, twin(t, height-1)))
				} else if _, ok := s.Head(); ok {
					t.Fatalf("%s: half of genesis is a head", what)
				}
				mustCommit(t, s, storyWrites(height)...)
				sameDump(t, what+", then another block", dump(t, s), dump(t, twin(t, height)))
				mustClose(t, s)
			}
		}
	}
}

// copyLive copies the files of a database that is in use, as a power loss would
// find them, but without the lock and most of the empty space at their ends.
func copyLive(t testing.TB, to, from string) {
	t.Helper()
	for _, path := range dataFiles(t, from) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dst := filepath.Join(to, strings.TrimPrefix(path, from))
		used := len(bytes.TrimRight(b, "\x00"))
		if err := errors.Join(os.MkdirAll(filepath.Dir(dst), 0o700), os.WriteFile(dst, b[:min(used+4_096, len(b))], 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func dataFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "LOCK" })
}

// soundOrCorrupt opens a store whose files were tampered with: it must say
// ErrCorrupt or stand at some height of the story, whole. It says which: the
// height, or -1 for ErrCorrupt and -2 for an empty store.
func soundOrCorrupt(t testing.TB, what, dir string, twins []map[string]string) int {
	t.Helper()
	s, err := disk{dir}.open()
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%s: error without a class: %v", what, err)
		}
		return -1
	}
	defer s.Close()
	got := dump(t, s)
	h, ok := s.Head()
	if !ok {
		return -2
	}
	sameDump(t, what, got, twins[h.Height])
	return int(h.Height)
}

func TestATornDatabaseLogGivesAnEarlierHead(t *testing.T) {
	live, base := t.TempDir(), t.TempDir()
	s := mustOpen(t, disk{live})
	var twins []map[string]string
	for h := range uint64(8) {
		mustCommit(t, s, storyWrites(h)...)
		twins = append(twins, dump(t, twin(t, h)))
	}
	copyLive(t, base, live)
	name := "ledger/00001.mem"
	b, err := os.ReadFile(filepath.Join(base, name))
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(b, "\x00"))
	last := -2
	for i := range 12 {
		at := used * i / 12
		for how, tamper := range map[string]func([]byte){
			"lost from": func(b []byte) { clear(b[at:]) },
			"flipped":   func(b []byte) { b[at] ^= 0x55 },
		} {
			dir := t.TempDir()
			bad := slices.Clone(b)
			tamper(bad)
			if err := errors.Join(os.CopyFS(dir, os.DirFS(base)), os.WriteFile(filepath.Join(dir, name), bad, 0o600)); err != nil {
				t.Fatal(err)
			}
			got := soundOrCorrupt(t, fmt.Sprintf("%s byte %d of %d", how, at, used), dir, twins)
			if got >= 0 && got < last {
				t.Fatalf("%s byte %d: height %d after height %d for an earlier byte", how, at, got, last)
			}
			last = max(last, got)
		}
	}
	if last < 6 {
		t.Fatalf("the greatest height was %d", last)
	}
}

func TestDamagedDatabaseFilesAreReported(t *testing.T) {
	base := t.TempDir()
	s, tw := mustOpen(t, disk{base}), OpenMemory()
	var twins []map[string]string
	for h := range uint64(25) {
		b := block(t, s, storyWrites(h)...)
		b.Body = bytes.Repeat([]byte{byte(h)}, 100_000) // so that there are several tables
		if err := errors.Join(s.Commit(b), tw.Commit(b)); err != nil {
			t.Fatal(err)
		}
		twins = append(twins, dump(t, tw))
	}
	mustClose(t, s)
	// The ledger was closed in order, so it is whole or damaged, never shorter.
	reported := map[string]int{}
	for _, path := range dataFiles(t, base) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := len(bytes.TrimRight(b, "\x00"))
		try := func(what string, bad []byte) {
			dir := t.TempDir()
			name := filepath.Join(dir, strings.TrimPrefix(path, base))
			if err := errors.Join(os.CopyFS(dir, os.DirFS(base)), os.Remove(name)); err != nil {
				t.Fatal(err)
			}
			if bad != nil {
				if err := os.WriteFile(name, bad, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			switch got := soundOrCorrupt(t, name+" "+what, dir, twins); got {
			case 24:
			case -1:
				reported[filepath.Ext(path)]++
			default:
				t.Errorf("%s %s: opened at height %d", name, what, got)
			}
		}
		cuts, flips := 3, 7
		if strings.Contains(path, "index") {
			cuts, flips = 1, 1
		}
		for i := range cuts {
			try(fmt.Sprint("cut at ", used*i/cuts), b[:used*i/cuts])
		}
		for i := range flips {
			if at := used * (2*i + 1) / (2 * flips); at < used {
				bad := slices.Clone(b)
				bad[at] ^= 1 << (i % 8)
				try(fmt.Sprint("flipped at ", at), bad)
			}
		}
		try("missing", nil)
	}
	if reported[".sst"] < 10 {
		t.Errorf("damaged tables were reported %d times only", reported[".sst"])
	}
	t.Log("reports by kind of file:", reported)
}
