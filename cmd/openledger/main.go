// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// Exit codes (CLI-02).
const (
	exitOK          = 0
	exitNo          = 1 // a completed check says no
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitFailure     = 5
	exitNotFound    = 6
	exitLocked      = 7
	exitNotFinal    = 8
	exitInterrupted = 130
)

// exitError carries an exit code with its line.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // a second signal ends the program at once
		<-ctx.Done()
		stop()
	}()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	typed(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(ctx, err)
	fmt.Fprintf(stderr, "openledger: %s\n", cleaned(oneLine(describe(err))))
	return code
}

// exitCode classifies an error once, for all commands.
func exitCode(ctx context.Context, err error) int {
	var coded *exitError
	var rpcErr *api.Error
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &rpcErr):
		return rpcExit(rpcErr)
	case errors.Is(err, client.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		return exitNotFinal
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, keystore.ErrPassphrase):
		return exitLocked
	case errors.Is(err, keystore.ErrNotFound):
		return exitNotFound
	case errors.Is(err, config.ErrConfig), errors.Is(err, keystore.ErrName), errors.Is(err, keystore.ErrMnemonic),
		errors.Is(err, keystore.ErrExists), errors.Is(err, fixed.ErrAmount), errors.Is(err, keys.ErrAddress):
		return exitUsage
	}
	return exitFailure
}

func rpcExit(e *api.Error) int {
	if e.Data.Code == "OPERATOR_UNREACHABLE" {
		return exitUnreachable
	}
	switch e.Code {
	case api.CodeLedger, api.CodeMempoolFull, api.CodeService, api.CodeLimit, api.CodeBusy:
		return exitRefused
	case api.CodeNotFound, api.CodePruned:
		return exitNotFound
	case api.CodeUnauthorized, api.CodeForbidden, api.CodeLocked:
		return exitLocked
	case api.CodeNotFinal, api.CodeSyncing:
		return exitNotFinal
	case api.CodeBadParams, api.CodeInvalidParams:
		return exitUsage
	}
	return exitFailure
}

func describe(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		text := fmt.Sprintf("%s (%s)", e.Message, e.Data.Code)
		if e.Data.Hint != "" {
			text += "; " + e.Data.Hint
		}
		return text
	}
	if errors.Is(err, client.ErrUnreachable) {
		return err.Error() + "; start a network with `openledger testnet up --detach`, or name a node with --node URL"
	}
	return err.Error()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:           "openledger",
		Short:         "A node for AI that pays its contributors",
		Long:          "openledger runs a node, talks to one, checks its claims offline, and starts local networks.\n\nFirst steps:\n  openledger demo\n  openledger testnet up --detach && openledger status",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	a.bind(root)
	addCommands(root, a)
	return root
}
