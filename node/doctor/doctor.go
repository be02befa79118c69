// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/rpc/api"
)

const (
	minFree  = 2 << 30
	minFiles = 8_192
)

// Judge makes a check of a condition.
func Judge(name string, ok bool, value, fix string) api.Check {
	c := api.Check{Name: name, Status: "ok", Value: value}
	if !ok {
		c.Status, c.Fix = "fail", fix
	}
	return c
}

// warn makes a check that does not fail the whole.
func warn(c api.Check) api.Check {
	if c.Status == "fail" {
		c.Status = "warn"
	}
	return c
}

// Home checks a home folder and the machine below it.
func Home(home string, c config.Config) []api.Check {
	out := []api.Check{disk(home), files(), fsync(home), keyFiles(home)}
	if c.RPC.Public {
		out = append(out, warn(Judge("rpc exposure", false, c.RPC.Listen, "put a TLS proxy before it, or set rpc.public = false")))
	}
	return out
}

func disk(home string) api.Check {
	var s syscall.Statfs_t
	if err := syscall.Statfs(existing(home), &s); err != nil {
		return Judge("disk space", false, err.Error(), "choose another --home")
	}
	free := s.Bavail * uint64(s.Bsize)
	return Judge("disk space", free >= minFree, fmt.Sprintf("%d MiB free", free>>20), "free some space or move --home")
}

// existing returns the nearest folder above path that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == "/" || path == "." {
			return path
		}
		path = filepath.Dir(path)
	}
}

func files() api.Check {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return Judge("file limit", false, err.Error(), "ulimit -n 65536")
	}
	return warn(Judge("file limit", r.Cur >= minFiles, fmt.Sprint(r.Cur), "ulimit -n 65536"))
}

// fsync measures one synced write, which bounds how fast a validator votes.
func fsync(home string) api.Check {
	f, err := os.CreateTemp(existing(home), "doctor-*")
	if err != nil {
		return Judge("disk write", false, err.Error(), "make --home writable")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	start := time.Now()
	_, err = f.Write(make([]byte, 4_096))
	if err = errors.Join(err, f.Sync()); err != nil {
		return Judge("disk write", false, err.Error(), "make --home writable")
	}
	took := time.Since(start)
	return warn(Judge("disk write", took < 50*time.Millisecond, took.Round(10*time.Microsecond).String()+" per synced write", "use a faster disk for --home"))
}

func keyFiles(home string) api.Check {
	bad := ""
	err := filepath.WalkDir(filepath.Join(home, "keys"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".json" {
			return nil
		}
		if fi, err := d.Info(); err == nil && fi.Mode().Perm()&0o077 != 0 {
			bad = path
		}
		return nil
	})
	if err != nil {
		return Judge("key permissions", false, err.Error(), "make the keys folder readable")
	}
	value := "only the owner can read keys"
	if bad != "" {
		value = bad + " is readable by others"
	}
	return Judge("key permissions", bad == "", value, "chmod 600 "+bad)
}

// Listen checks that an address is free to listen on.
func Listen(name, address string) api.Check {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return warn(Judge(name, false, err.Error(), "stop what listens there, or choose another address in config.toml"))
	}
	l.Close()
	return Judge(name, true, address+" is free", "")
}
