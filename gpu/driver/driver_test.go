// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package driver_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/cu"

	"github.com/openledger/openledger/gpu/driver"
	"github.com/openledger/openledger/gpu/fakecuda"
)

// Binding is once per process, so each case runs this test binary again.
const child = "OPENLEDGER_TEST_DRIVER"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		report()
		return
	}
	os.Exit(m.Run())
}

// report prints what a program sees of the driver.
func report() {
	before, err := cu.NumDevices()
	fmt.Printf("before: %d %v\n", before, err)
	missing, err := driver.Open()
	switch {
	case errors.Is(err, driver.ErrNoDriver):
		fmt.Println("no driver")
	case errors.Is(err, driver.ErrInit):
		fmt.Println("init:", err)
	default:
		again, err2 := driver.Open()
		fmt.Println("open:", missing > 0, missing == again, err, err2)
		n, err := cu.NumDevices()
		fmt.Println("devices:", n, err)
		d, _ := cu.GetDevice(0)
		name, err := d.Name()
		fmt.Println("name:", name, err)
		_, err = cu.MemAllocManaged(64, cu.AttachGlobal) // a name that the stand-in lacks
		fmt.Println("absent:", err)
	}
}

// run returns the lines that report prints with the given environment.
func run(t *testing.T, env ...string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, child+"=1")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func fake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := fakecuda.Build(dir); err != nil {
		t.Fatal(err)
	}
	return "LD_LIBRARY_PATH=" + dir
}

func TestGPU05OneBinaryWithAndWithoutADriver(t *testing.T) {
	const unbound = "before: 0 NotInitialized"
	for _, c := range []struct {
		name string
		env  []string
		want []string
	}{
		{"no library", []string{"LD_LIBRARY_PATH="}, []string{unbound, "no driver"}},
		{"no device", []string{fake(t), fakecuda.InitCode + "=100"}, []string{unbound, "init: the NVIDIA driver does not start: libcuda.so.1: cuInit: CUDA error 100: it sees no card; look at nvidia-smi, and at CUDA_VISIBLE_DEVICES"}},
		{"stub library", []string{fake(t), fakecuda.InitCode + "=34"}, []string{unbound, "init: the NVIDIA driver does not start: libcuda.so.1: cuInit: CUDA error 34: this library is a stub for linking, not a driver"}},
		{"another failure", []string{fake(t), fakecuda.InitCode + "=46"}, []string{unbound, "init: the NVIDIA driver does not start: libcuda.so.1: cuInit: CUDA error 46"}},
		{"stand-in", []string{fake(t)}, []string{unbound, "open: true true <nil> <nil>", "devices: 1 <nil>", "name: fake device 0 <nil>", "absent: NotInitialized"}},
		{"bound at once", []string{fake(t), "LD_BIND_NOW=1"}, []string{unbound, "open: true true <nil> <nil>", "devices: 1 <nil>", "name: fake device 0 <nil>", "absent: NotInitialized"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, c.env...); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestGPU05NothingOfCUDAIsLinked(t *testing.T) {
	f, err := elf.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil || slices.ContainsFunc(libs, func(l string) bool { return strings.Contains(l, "cuda") }) || len(libs) == 0 {
		t.Fatalf("needs %v, %v", libs, err)
	}
	symbols, err := f.DynamicSymbols()
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "cu") && s.Name != "cuserid" {
			t.Errorf("dynamic symbol %s", s.Name)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestGeneratedFilesAreThoseOfNames(t *testing.T) {
	before := map[string]string{}
	names := []string{"names.c", "tramp_linux_amd64.S", "tramp_linux_arm64.S"}
	dir := t.TempDir()
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		before[n] = string(b)
	}
	for _, n := range []string{"gen.go", "names.txt"} {
		b, err := os.ReadFile(n)
		if err != nil || os.WriteFile(dir+"/"+n, b, 0o600) != nil {
			t.Fatal(n, err)
		}
	}
	cmd := exec.Command("go", "run", "gen.go")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, n := range names {
		if b, err := os.ReadFile(dir + "/" + n); err != nil || string(b) != before[n] {
			t.Errorf("%s is not what gen.go writes from names.txt: run go generate ./gpu/driver (%v)", n, err)
		}
	}
}
