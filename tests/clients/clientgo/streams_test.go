package clientgo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
)

// runPod makes a pod of two containers, a shell and an HTTP server on 8080, and waits until it is ready.
func runPod(t *testing.T, client kubernetes.Interface, space string) {
	t.Helper()
	pods := client.CoreV1().Pods(space)
	now := int64(0)
	listening := &corev1.Probe{
		PeriodSeconds: 1,
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}},
	}
	spec := corev1.PodSpec{
		TerminationGracePeriodSeconds: &now,
		Containers: []corev1.Container{
			{Name: "shell", Image: "example.com/sh:1", Args: []string{"echo started; sleep 600"}},
			{Name: "web", Image: "multicluster.lab/apps", Args: []string{"echo"}, ReadinessProbe: listening},
		},
	}
	meta := metav1.ObjectMeta{Name: "p"}
	made, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: meta, Spec: spec}, metav1.CreateOptions{})
	must(t, err)
	ctx, stop := context.WithTimeout(t.Context(), eventuallyWithin)
	defer stop()
	changes := &watcher{func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.FieldSelector = "metadata.name=p"
		return pods.Watch(ctx, options)
	}}
	_, err = watchtools.Until(ctx, made.ResourceVersion, changes, func(event watch.Event) (bool, error) {
		for _, condition := range event.Object.(*corev1.Pod).Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	must(t, err)
}

type watcher struct {
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func (w *watcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.watch(ctx, options)
}

func (w *watcher) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return w.watch(context.Background(), options)
}

func podURL(client kubernetes.Interface, space, subresource string, options *corev1.PodExecOptions) *url.URL {
	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(space).Name("p")
	request = request.SubResource(subresource)
	if options != nil {
		request = request.VersionedParams(options, scheme.ParameterCodec)
	}
	return request.URL()
}

// Commands run over both protocols: streams stay apart, the exit code comes back, refusals say why.
func TestExecOverWebSocketAndSPDY(t *testing.T) {
	settings := config(t)
	client := clientset(t, settings)
	space := newNamespace(t, client)
	runPod(t, client, space)
	executors := map[string]func(*url.URL) (remotecommand.Executor, error){
		"websocket": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(settings, http.MethodGet, u.String())
		},
		"spdy": func(u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(settings, http.MethodPost, u)
		},
	}
	for protocol, executor := range executors {
		t.Run(protocol, func(t *testing.T) {
			exec := func(container, stdin string, command ...string) (string, string, error) {
				options := &corev1.PodExecOptions{Container: container, Command: command, Stdin: true, Stdout: true, Stderr: true}
				made, err := executor(podURL(client, space, "exec", options))
				must(t, err)
				var out, err2 bytes.Buffer
				err = made.StreamWithContext(t.Context(), remotecommand.StreamOptions{
					Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &err2,
				})
				return out.String(), err2.String(), err
			}
			out, stderr, err := exec("shell", "", "sh", "-c", "echo to out; echo to err >&2; exit 3")
			equal(t, "stdout", out, "to out\n")
			equal(t, "stderr", stderr, "to err\n")
			var ended utilexec.CodeExitError
			if !errors.As(err, &ended) {
				t.Fatalf("no exit code: %v", err)
			}
			equal(t, "exit code", ended.Code, 3)

			sent := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB, more than any buffer on the way
			out, _, err = exec("shell", sent, "cat")
			must(t, err)
			equal(t, "bytes echoed", len(out), len(sent))
			equal(t, "what was echoed is what was sent", out == sent, true)

			_, _, err = exec("nosuch", "", "true")
			if err == nil || !strings.Contains(err.Error(), "container nosuch is not valid for pod p") {
				t.Fatalf("exec in a container that is not there: %v", err)
			}
		})
	}
}

// A port of a pod is reachable over both protocols.
func TestPortForwardOverWebSocketAndSPDY(t *testing.T) {
	settings := config(t)
	client := clientset(t, settings)
	space := newNamespace(t, client)
	runPod(t, client, space)
	target := podURL(client, space, "portforward", nil)
	overSPDY := func() httpstream.Dialer {
		transport, upgrader, err := spdy.RoundTripperFor(settings)
		must(t, err)
		return spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	}
	overWebSocket := func() httpstream.Dialer {
		dialer, err := portforward.NewSPDYOverWebsocketDialer(target, settings)
		must(t, err)
		return dialer
	}
	for protocol, dialer := range map[string]httpstream.Dialer{"spdy": overSPDY(), "websocket": overWebSocket()} {
		t.Run(protocol, func(t *testing.T) {
			stop, ready := make(chan struct{}), make(chan struct{})
			forwarder, err := portforward.New(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
			must(t, err)
			ended := make(chan error, 1)
			go func() { ended <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatal(err)
			}
			ports, err := forwarder.GetPorts()
			must(t, err)
			for i := range 3 { // each connection is a pair of streams of its own
				path := fmt.Sprintf("http://127.0.0.1:%d/through/%d", ports[0].Local, i)
				client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				answer, err := client.Get(path)
				must(t, err)
				body, err := io.ReadAll(answer.Body)
				must(t, err)
				must(t, answer.Body.Close())
				if !strings.Contains(string(body), fmt.Sprintf(`"/through/%d"`, i)) {
					t.Fatalf("the pod said %s", body)
				}
			}
			close(stop)
			must(t, <-ended)
		})
	}
}

// Logs stream, and a pod that is not there is not found.
func TestLogs(t *testing.T) {
	client := clientset(t, config(t))
	space := newNamespace(t, client)
	runPod(t, client, space)
	options := &corev1.PodLogOptions{Container: "shell", Follow: true}
	stream, err := client.CoreV1().Pods(space).GetLogs("p", options).Stream(t.Context())
	must(t, err)
	line := make([]byte, len("started\n"))
	_, err = io.ReadFull(stream, line)
	must(t, err)
	equal(t, "line", string(line), "started\n")
	must(t, stream.Close())
	_, err = client.CoreV1().Pods(space).GetLogs("gone", &corev1.PodLogOptions{}).DoRaw(t.Context())
	refused(t, apierrors.IsNotFound, err)
	_, err = client.CoreV1().Pods(space).GetLogs("p", &corev1.PodLogOptions{}).DoRaw(t.Context())
	refused(t, apierrors.IsBadRequest, err) // two containers, and none named
}

// Who may not do a thing is told so in words that a program recognises.
func TestForbiddenAndUnauthorized(t *testing.T) {
	settings := config(t)
	settings.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:default:default"}
	_, err := clientset(t, settings).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	refused(t, apierrors.IsForbidden, err)
	stranger := rest.AnonymousClientConfig(config(t))
	stranger.BearerToken = "not-a-token"
	_, err = clientset(t, stranger).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	refused(t, apierrors.IsUnauthorized, err)
}
