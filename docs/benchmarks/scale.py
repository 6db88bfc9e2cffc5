#!/usr/bin/env python3
"""How time and memory of one server grow with the cluster.

    scale.py --bin drover [--sizes 100x1000,1000x10000] [--json FILE] [--svg FILE]

For each size (NODESxALLOCATIONS) a server with its log on disk and a `drover sim` are started on loopback. Measured are: all nodes ready; one service
job (several above 50,000 allocations) registered until everything is placed and until everything runs; the server's memory and processor time then,
with heartbeats going on: at the most, and once it has given back what it does not need; a restart after kill -9 until it leads and knows all
allocations. Standard library only; it ends only what it started.
"""
import argparse, http.client, json, math, os, shutil, signal, socket, subprocess, sys, tempfile, time

SIZES = "100x1000,300x3000,1000x10000,3000x30000,10000x100000,20000x200000"
GROUP = 50_000          # the most allocations of one group
SETTLE = 40             # seconds until freed memory is back with the kernel
LIMIT = 600             # seconds that any step may take


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    def __init__(self, binary, folder, connections):
        self.http, self.rpc, serf = free_ports(3)
        config = os.path.join(folder, "server.hcl")
        with open(config, "w") as out:
            out.write(f'''data_dir = "{folder}/data"
bind_addr = "127.0.0.1"
name = "scale"
log_level = "WARN"
ports {{
  http = {self.http}
  rpc = {self.rpc}
  serf = {serf}
}}
server {{
  enabled = true
  bootstrap_expect = 1
}}
limits {{
  rpc_max_conns_per_client = {connections}
}}
''')
        self.log = open(os.path.join(folder, "server.log"), "w")
        self.process = subprocess.Popen([binary, "agent", "-config", config], stdout=self.log, stderr=subprocess.STDOUT)
        self.connection = None
        until(lambda: self.call("GET", "/v1/status/leader") not in (None, ""), "a leader", 0.05)

    def call(self, method, path, body=None):
        for attempt in range(2):
            try:
                return self.try_call(method, path, body)
            except (OSError, http.client.HTTPException):
                # A connection that was idle for long is closed.
                self.connection = None
        return None

    def try_call(self, method, path, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=LIMIT)
        self.connection.request(method, path, None if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text else ""

    def memory_mib(self, of="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(of)) / 1024

    def cpu_s(self):
        return cpu_s(self.process.pid)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(is_so, what, pause):
    end = time.monotonic() + LIMIT
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {LIMIT} s: {what}")
        time.sleep(pause)


def stop(process):
    if process and process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()


def job(name, count):
    task = {"Name": "t", "Driver": "mock_driver", "Config": {}, "Resources": {"CPU": 1, "MemoryMB": 10},
            "LogConfig": {"MaxFiles": 1, "MaxFileSizeMB": 1}}
    group = {"Name": "g", "Count": count, "Tasks": [task], "EphemeralDisk": {"SizeMB": 10}}
    return {"Job": {"ID": name, "Name": name, "Type": "service", "Datacenters": ["dc1"], "Update": {"MaxParallel": 0}, "TaskGroups": [group]}}


def measure(binary, nodes, allocations, connections):
    folder = tempfile.mkdtemp(prefix="scale-")
    server = sim = None
    try:
        server = Server(binary, folder, 0)
        result = {"nodes": nodes, "allocations": allocations, "connections": connections, "rss_empty_mib": server.memory_mib()}
        command = [binary, "sim", "-servers", f"127.0.0.1:{server.rpc}", "-nodes", str(nodes), "-prefix", "n", "-connections", str(connections)]
        begun = time.monotonic()
        # Into a file: a pipe that nobody empties would stop the simulator once it has something to say.
        said = os.path.join(folder, "sim.log")
        with open(said, "w") as out:
            sim = subprocess.Popen(command, stdout=out, stderr=out)
        until(lambda: "nodes are ready after" in open(said).read(), "all nodes ready", 0.01)
        result["nodes_ready_s"] = time.monotonic() - begun
        result["rss_nodes_mib"] = server.memory_mib()
        counts = [min(GROUP, allocations - at) for at in range(0, allocations, GROUP)]
        cpu = server.cpu_s()
        begun = time.monotonic()
        for number, count in enumerate(counts):
            server.call("PUT", "/v1/jobs", job(f"scale-{number}", count))

        def summed(*kinds):
            groups = [server.call("GET", f"/v1/job/scale-{number}/summary")["Summary"]["g"] for number in range(len(counts))]
            return sum(group[kind] for group in groups for kind in kinds)
        until(lambda: summed("Starting", "Running") >= allocations, "everything is placed", 0.01)
        result["placed_s"] = time.monotonic() - begun
        until(lambda: summed("Running") >= allocations, "everything runs", 0.02)
        result["running_s"] = time.monotonic() - begun
        result["server_cpu_s"] = server.cpu_s() - cpu
        result["sim_cpu_s"] = cpu_s(sim.pid)
        result["rss_peak_mib"] = server.memory_mib("VmHWM")
        time.sleep(SETTLE)
        result["rss_mib"] = server.memory_mib()
        cpu = server.cpu_s()
        time.sleep(10)
        result["idle_cpu_of_10s"] = server.cpu_s() - cpu
        stop(sim)
        stop(server.process)
        begun = time.monotonic()
        server = Server(binary, folder, 0)
        until(lambda: summed("Starting", "Running", "Lost", "Unknown") >= allocations, "the restarted server knows all", 0.02)
        result["restart_s"] = time.monotonic() - begun
        result["rss_restarted_mib"] = server.memory_mib()
        return result
    finally:
        stop(sim)
        stop(server.process if server else None)
        shutil.rmtree(folder, ignore_errors=True)


COLOURS = {"all nodes ready": "#1b9e77", "everything placed": "#d95f02", "everything runs": "#7570b3", "server memory": "#e7298a"}


def panel(left, title, unit, series, sizes):
    """One log-log chart: `series` is name -> values."""
    width, height, top = 330, 250, 40
    values = [value for line in series.values() for value in line if value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    x = lambda size: left + 50 + (math.log10(size) - first) / max(last - first, 1e-9) * (width - 60)
    y = lambda value: top + height - (math.log10(max(value, 10 ** low)) - low) / max(high - low, 1) * height
    parts = [f'<text x="{left + 50}" y="24" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        parts.append(f'<path d="M{left + 50} {y(10 ** power):.1f}H{left + width - 10}" stroke="#ddd"/>')
        parts.append(f'<text x="{left + 44}" y="{y(10 ** power) + 4:.1f}" text-anchor="end">{10 ** power:g} {unit}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{top + height + 18}" text-anchor="middle">{size:,}</text>')
    parts.append(f'<text x="{left + width / 2 + 20}" y="{top + height + 36}" text-anchor="middle">nodes (ten allocations each)</text>')
    for number, (name, line) in enumerate(series.items()):
        points = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in zip(sizes, line))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3" fill="{COLOURS[name]}"/>' for size, value in zip(sizes, line)]
        parts.append(f'<text x="{left + 60}" y="{top + 14 + 16 * number}" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join(parts)


def draw(results):
    sizes = [result["nodes"] for result in results]
    times = {name: [result[key] for result in results]
             for name, key in [("all nodes ready", "nodes_ready_s"), ("everything placed", "placed_s"), ("everything runs", "running_s")]}
    memory = {"server memory": [result["rss_mib"] for result in results]}
    charts = panel(0, "Time", "s", times, sizes) + "\n" + panel(360, "Memory", "MiB", memory, sizes)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="720" height="340" font-family="sans-serif" font-size="11">\n'
            f'<rect width="720" height="340" fill="white"/>\n{charts}\n</svg>\n')


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", required=True)
    options.add_argument("--sizes", default=SIZES)
    options.add_argument("--connections", type=int, default=64, help="shared by the nodes; 0: one for each")
    options.add_argument("--json")
    options.add_argument("--svg")
    chosen = options.parse_args()
    results = []
    for size in chosen.sizes.split(","):
        nodes, allocations = map(int, size.split("x"))
        results.append(measure(chosen.bin, nodes, allocations, chosen.connections or nodes))
        print(json.dumps({key: round(value, 3) for key, value in results[-1].items()}), flush=True)
    if chosen.json:
        with open(chosen.json, "w") as out:
            json.dump(results, out, indent=1)
    if chosen.svg:
        with open(chosen.svg, "w") as out:
            out.write(draw(results))
    print("| nodes | allocations | nodes ready | placed | all running | server CPU | memory | at most | idle CPU in 10 s | restart |\n|---|---|---|---|---|---|---|---|---|---|")
    for one in results:
        print(f'| {one["nodes"]:,} | {one["allocations"]:,} | {one["nodes_ready_s"]:.2f} s | {one["placed_s"]:.2f} s | {one["running_s"]:.2f} s '
              f'| {one["server_cpu_s"]:.1f} s | {one["rss_mib"]:.0f} MiB | {one["rss_peak_mib"]:.0f} MiB | {one["idle_cpu_of_10s"]:.2f} s '
              f'| {one["restart_s"]:.2f} s |')


if __name__ == "__main__":
    sys.exit(main())
