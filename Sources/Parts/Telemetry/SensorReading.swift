// SPDX-License-Identifier: Apache-2.0
// Heat, fans and the Raspberry Pi's own word on power, out of /sys.

extension SystemReading {
    /// What no sensor near a running processor can measure, in °C: it is broken, or not there.
    private static let believable = -60.0...200.0

    /// Thermal zones; then what processors measure themselves, where no zone does (AMD's have none).
    static func temperatures(_ files: KernelFiles) -> [Temperature] {
        var temperatures: [Temperature] = []
        func add(_ name: String, _ number: Substring, _ millidegrees: Int?) {
            guard let millidegrees, temperatures.count < maximumEntries else { return }
            let celsius = Double(millidegrees) / 1000
            guard believable.contains(celsius) else { return }
            let isTaken = temperatures.contains { $0.zone == name }
            temperatures.append(Temperature(zone: isTaken ? "\(name)-\(number)" : name, celsius: celsius))
        }
        for zone in files.list("/sys/class/thermal", prefix: "thermal_zone") {
            let path = "/sys/class/thermal/\(zone)"
            add(files.text("\(path)/type") ?? zone, zone.dropFirst(12), files.number("\(path)/temp"))
        }
        guard !temperatures.contains(where: { $0.zone.hasPrefix("cpu") || $0.zone == "x86_pkg_temp" }) else {
            return temperatures
        }
        for monitor in files.list("/sys/class/hwmon", prefix: "hwmon") {
            let path = "/sys/class/hwmon/\(monitor)"
            guard let name = files.text("\(path)/name"), ["coretemp", "k10temp", "zenpower"].contains(name) else {
                continue
            }
            add(name, monitor.dropFirst(5), files.number("\(path)/temp1_input"))
        }
        return temperatures
    }

    /// The fans of all monitors, by the monitor's name, and by number where it has several.
    static func fans(_ files: KernelFiles) -> [Fan] {
        var fans: [Fan] = []
        for monitor in files.list("/sys/class/hwmon", prefix: "hwmon") {
            let path = "/sys/class/hwmon/\(monitor)"
            let name = files.text("\(path)/name") ?? monitor
            for number in 1...8 {
                guard let speed = files.number("\(path)/fan\(number)_input"), (0...1_000_000).contains(speed) else {
                    continue
                }
                let label = files.text("\(path)/fan\(number)_label") ?? (number == 1 ? nil : "\(number)")
                let power = files.number("\(path)/pwm\(number)")
                    .flatMap { (0...255).contains($0) ? Double($0) / 255 : nil }
                fans.append(Fan(name: label.map { "\(name) \($0)" } ?? name, speed: speed, power: power))
                if fans.count == maximumEntries { return fans }
            }
        }
        return fans
    }

    /// The firmware's own word, where the kernel passes it on; else the voltage monitor's, which knows of one bit.
    static func throttling(_ files: KernelFiles) -> Throttling? {
        for bus in files.list("/sys/devices/platform", prefix: "soc") {
            for device in files.list("/sys/devices/platform/\(bus)", suffix: "firmware") {
                let words = files.hexadecimals("/sys/devices/platform/\(bus)/\(device)/get_throttled")
                if words.count == 1 { return Throttling(rawValue: words[0]) }
            }
        }
        for monitor in files.list("/sys/class/hwmon", prefix: "hwmon") {
            let path = "/sys/class/hwmon/\(monitor)"
            guard files.text("\(path)/name") == "rpi_volt", let alarm = files.number("\(path)/in0_lcrit_alarm") else {
                continue
            }
            return alarm == 0 ? [] : .underVoltage
        }
        return nil
    }
}
