// Command verdicts reads Kubernetes objects as JSON from its standard input, one after the other, and prints for each
// one line of JSON: what kstatus computes (the library of Flux and of Helm 4), and what a health script says in the
// engine of Argo CD, with the globals and the one second that Argo CD gives a script from argocd-cm.
//
//	verdicts HEALTH.lua <objects.json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argoFinalizer keeps a hook of Argo CD until its outcome was read; such an object is judged while it is deleted.
const argoFinalizer = "argocd.argoproj.io/hook-finalizer"

var healthWords = []string{"Healthy", "Progressing", "Suspended", "Degraded", "Missing", "Unknown"}

type verdict struct {
	Kstatus        string `json:"kstatus"`
	KstatusMessage string `json:"kstatusMessage"`
	Argo           string `json:"argo"`
	ArgoMessage    string `json:"argoMessage"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("give the health script's file, and objects on standard input")
	}
	script, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return err
		}
		said, err := judge(object, string(script))
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
}

func judge(object *unstructured.Unstructured, script string) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	said := verdict{Kstatus: computed.Status.String(), KstatusMessage: computed.Message}
	if object.GetDeletionTimestamp() != nil && !slices.Contains(object.GetFinalizers(), argoFinalizer) {
		said.Argo, said.ArgoMessage = "Progressing", "Pending deletion" // Argo CD asks no script here
		return said, nil
	}
	said.Argo, said.ArgoMessage, err = health(object, script)
	return said, err
}

func health(object *unstructured.Unstructured, script string) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// A script from argocd-cm has no string, math or io; of os it has the clock, which ours does not need.
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	limited, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limited)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned a %s, not a table", state.Get(-1).Type())
	}
	word, ok := answer.RawGetString("status").(lua.LString)
	if !ok || !slices.Contains(healthWords, string(word)) {
		return "", "", fmt.Errorf("the script returned status %s", answer.RawGetString("status"))
	}
	message, ok := answer.RawGetString("message").(lua.LString)
	if !ok {
		return "", "", fmt.Errorf("the script returned message %s", answer.RawGetString("message"))
	}
	return string(word), string(message), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}
