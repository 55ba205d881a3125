"""TAP, so that meson counts each test and each skip: main() runs the unittest cases of the calling module; run() the functions marked @test, each with an empty
folder; a script that goes down a list says is_() for each check and plan() at the end."""
import sys
import tempfile
import unittest


class Tap(unittest.TestResult):
    n = 0

    def line(self, ok, test, more=''):
        self.n += 1
        print(f'{"ok" if ok else "not ok"} {self.n} - {test._testMethodName}{more}', flush=True)

    def addSuccess(self, test):
        self.line(True, test)

    def addSkip(self, test, reason):
        self.line(True, test, f' # SKIP {reason}')

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(False, test)
        for text in self.failures[-1][1].splitlines():
            print('#', text)

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(test, '_testMethodName'):
            test._testMethodName = str(test)
        self.line(False, test)
        for text in self.errors[-1][1].splitlines():
            print('#', text)

    def addSubTest(self, test, subtest, err):
        if err:
            super().addSubTest(test, subtest, err)
            print('# in', subtest)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    result = Tap()
    suite.run(result)
    for _, text in result.failures[-20:]:
        for line in text.splitlines()[-3:]:
            print('#', line)
    print(f'1..{result.n}')
    sys.exit(not result.wasSuccessful())


tests = []


def test(f):
    tests.append(f)
    return f


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def run(some=None, skip=None):
    """All tests, or some of them; `skip`: why none is run."""
    failed = 0
    print(f"1..{len(some or tests)}")
    for number, t in enumerate(some or tests, 1):
        if skip:
            print(f"ok {number} - {t.__name__} # SKIP {skip}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                t(folder)
                print(f"ok {number} - {t.__name__}", flush=True)
            except AssertionError as e:
                failed += 1
                print(f"# {e}\nnot ok {number} - {t.__name__}", flush=True)
    sys.exit(failed != 0)


count = 0


def is_(what, ok, why=""):
    global count
    count += 1
    print(("ok" if ok else "not ok"), count, "-", what)
    for line in str(why).splitlines()[:20] if not ok else []:
        print("#", line)
    sys.stdout.flush()


def plan():
    print(f"1..{count}")
