// Command policies enforces the NetworkPolicies of one machine of the embedded cluster.
//
// The public package sigs.k8s.io/kube-network-policies judges the first packet of each connection. Its
// own rules use nftables `queue`, which not every kernel has, so this program sets iptables rules that
// send the packets of pods to the same queue. Run it in the machine's network namespace.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

const (
	chain = "WAYPOST-POLICIES"
	queue = 100
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "credentials that may list pods, namespaces and policies")
	node := flag.String("node", "", "name of the machine's Node")
	pods := flag.String("pods", "", "network of the pods of all machines")
	health := flag.String("health", "", "address that answers 200 once policies are enforced, or cannot be")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *kubeconfig, *node, *pods, *health); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, node, pods, health string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// Protobuf costs a third of the memory and time of JSON here.
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	// NRIdisabled stays false: with true the package calls a nil plug-in at the first packet from an
	// address that it does not know. Without NRI it logs one line and continues.
	controller, err := networkpolicy.NewController(client,
		factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(), nil, nil, nil, nil,
		networkpolicy.Config{NodeName: node, QueueID: queue, FailOpen: true})
	if err != nil {
		return err
	}
	// The package logs a failure to set its own rules at every change of a pod.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := setRules(pods); err != nil {
		// A kernel without NFQUEUE: the cluster works without policies, and the tests of them fail.
		fmt.Fprintln(os.Stderr, "NetworkPolicies are not enforced:", err)
		go serveHealth(health)
		<-ctx.Done()
		return nil
	}
	go serveHealth(health)
	return controller.Run(ctx)
}

// setRules replaces the chain. Packets are judged after the translation of Service addresses: in
// POSTROUTING those for pods and for the outside, in INPUT those for the machine (API server, kubelet).
func setRules(pods string) error {
	rules := fmt.Sprintf("*mangle\n:%[1]s - [0:0]\n"+
		"-A %[1]s -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN\n"+
		// Probes of the kubelet come from an address in the network of the pods.
		"-A %[1]s -m addrtype --src-type LOCAL -j RETURN\n"+
		"-A %[1]s -s %[2]s -j NFQUEUE --queue-num %[3]d --queue-bypass\n"+
		"-A %[1]s -d %[2]s -j NFQUEUE --queue-num %[3]d --queue-bypass\n"+
		"COMMIT\n", chain, pods, queue)
	restore := exec.Command("iptables-restore", "--noflush", "-w")
	restore.Stdin = bytes.NewBufferString(rules)
	if out, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("set the rules: %w: %s", err, out)
	}
	for _, hook := range []string{"POSTROUTING", "INPUT"} {
		if exec.Command("iptables", "-w", "-t", "mangle", "-C", hook, "-j", chain).Run() == nil {
			continue
		}
		if out, err := exec.Command("iptables", "-w", "-t", "mangle", "-A", hook, "-j", chain).CombinedOutput(); err != nil {
			return fmt.Errorf("use the rules in %s: %w: %s", hook, err, out)
		}
	}
	return nil
}

func serveHealth(address string) {
	if address == "" {
		return
	}
	answer := func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusOK) }
	if err := http.ListenAndServe(address, http.HandlerFunc(answer)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
